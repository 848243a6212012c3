import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { isErrno, LongshoreError, messageOf } from '../lib/errors.ts';

/** Where an API server is, and who we are to it. Never log one. */
export interface ClientConfig {
  /** `https://host:port`, without a slash at the end. */
  readonly server: string;
  /** PEM. */
  readonly ca?: Buffer;
  readonly certificate?: Buffer;
  readonly key?: Buffer;
  readonly token?: string;
  /** A file that holds the token and is written anew from time to time. */
  readonly tokenFile?: string;
  readonly basic?: { readonly username: string; readonly password: string };
  readonly insecureSkipTlsVerify?: boolean;
  readonly tlsServerName?: string;
  /** Default namespace of the context. */
  readonly namespace?: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a kubeconfig file (`clusters`, `users`, `contexts`), taking `context`
 * or its current one. File names in it are relative to the file.
 * @throws LongshoreError `not-found`, `forbidden`, `invalid`, or `not-implemented` for exec and auth-provider plug-ins
 */
export async function loadKubeconfig(path: string, context?: string): Promise<ClientConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new LongshoreError(
      isErrno(error, 'EACCES') ? 'forbidden' : 'not-found',
      `the kubeconfig ${path} cannot be read: ${messageOf(error)}`,
      {
        object: path,
        remedy: isErrno(error, 'EACCES')
          ? 'Run as the user whom it belongs to (sudo), or name another, with KUBECONFIG or a flag.'
          : 'Name a kubeconfig that exists, with KUBECONFIG or a flag.',
        cause: error,
      },
    );
  }
  return parseKubeconfig(text, path, context);
}

/** The same from the file's text. */
export async function parseKubeconfig(text: string, path: string, context?: string): Promise<ClientConfig> {
  const bad = (why: string): LongshoreError => new LongshoreError('invalid', `the kubeconfig ${path} ${why}`, { object: path });
  let root: Fields;
  try {
    root = fields(parse(text, { maxAliasCount: 0 })) ?? {};
  } catch (error) {
    throw bad(`is not valid YAML: ${messageOf(error)}`);
  }
  const named = (list: string, part: string, name: string): Fields => {
    const entries = root[list];
    const entry = Array.isArray(entries) ? entries.map(fields).find((item) => item?.['name'] === name) : undefined;
    const found = fields(entry?.[part]);
    if (found === undefined) throw bad(`has no ${part} ${JSON.stringify(name)}`);
    return found;
  };
  const contextName = context ?? string(root['current-context']);
  if (!contextName) throw bad('names no current-context');
  const chosen = named('contexts', 'context', contextName);
  const cluster = named('clusters', 'cluster', string(chosen['cluster']) ?? '');
  const userName = string(chosen['user']);
  const user = userName ? named('users', 'user', userName) : {};
  for (const plugin of ['exec', 'auth-provider']) {
    if (user[plugin] !== undefined) {
      throw new LongshoreError(
        'not-implemented',
        `the user ${userName} of the kubeconfig ${path} logs in through ${plugin}, which is not supported`,
        { object: path, remedy: 'Use a client certificate or a token.' },
      );
    }
  }
  const base = dirname(resolve(path));
  const data = async (from: Fields, name: string): Promise<Buffer | undefined> => {
    const inline = string(from[`${name}-data`]);
    if (inline) return Buffer.from(inline, 'base64');
    const file = string(from[name]);
    if (!file) return undefined;
    try {
      return await readFile(resolve(base, file));
    } catch (error) {
      throw bad(`names the file ${file}, which cannot be read: ${messageOf(error)}`);
    }
  };
  const server = string(cluster['server'])?.replace(/\/+$/, '');
  if (!server || !/^https?:\/\//.test(server)) throw bad(`has no server address for the context ${JSON.stringify(contextName)}`);
  const [ca, certificate, key] = await Promise.all([data(cluster, 'certificate-authority'), data(user, 'client-certificate'), data(user, 'client-key')]);
  const token = string(user['token']);
  const tokenFile = string(user['tokenFile']);
  const username = string(user['username']);
  const namespace = string(chosen['namespace']);
  const tlsServerName = string(cluster['tls-server-name']);
  return {
    server,
    ...(ca && { ca }), ...(certificate && { certificate }), ...(key && { key }),
    ...(token && { token }), ...(tokenFile && !token && { tokenFile: resolve(base, tokenFile) }),
    ...(username && { basic: { username, password: string(user['password']) ?? '' } }),
    ...(cluster['insecure-skip-tls-verify'] === true && { insecureSkipTlsVerify: true }),
    ...(tlsServerName && { tlsServerName }), ...(namespace && { namespace }),
  };
}

function fields(value: unknown): Fields | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Fields) : undefined;
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
