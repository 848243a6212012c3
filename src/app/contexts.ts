import { createHash } from 'node:crypto';
import { chown, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseKubeconfig } from '../client/kubeconfig.ts';
import { mergeKubeconfig, removeFromKubeconfig } from '../control-plane/api/pki/kubeconfig.ts';
import { isErrno, LongshoreError, messageOf } from '../lib/errors.ts';
import type { Home } from './home.ts';

/** Where a user keeps what tells clients whom to talk to. */
export interface UserFiles {
  /** The kubeconfig that is to be changed. */
  readonly kubeconfig: string;
  /** Docker's folder: ~/.docker. */
  readonly dockerConfig: string;
}

interface Merged extends UserFiles {
  readonly context: string;
}

/** The user's files by the clients' own rules: the first file of KUBECONFIG that is not the instance's own, DOCKER_CONFIG. */
export function userFiles(home: Pick<Home, 'kubeconfig'>, environment: Readonly<Record<string, string | undefined>>): UserFiles {
  const user = environment.HOME;
  const named = (environment.KUBECONFIG ?? '').split(':').find((path) => path !== '' && path !== home.kubeconfig);
  if (user === undefined && (named === undefined || !environment.DOCKER_CONFIG)) {
    throw new LongshoreError('invalid', 'HOME is not set, so there is no place for contexts', {
      remedy: 'Set HOME, or KUBECONFIG and DOCKER_CONFIG.',
    });
  }
  return { kubeconfig: named ?? join(user!, '.kube/config'), dockerConfig: environment.DOCKER_CONFIG || join(user!, '.docker') };
}

/**
 * Adds a context of this instance to the user's kubeconfig and to Docker's contexts; everything else there stays, the current contexts too. Again is no change.
 * @throws LongshoreError `conflict` when a context of that name leads elsewhere
 */
export async function mergeContexts(home: Home, files: UserFiles, context: string): Promise<void> {
  const own = await parseKubeconfig(await readFile(home.kubeconfig, 'utf8'), home.kubeconfig);
  const before = await textOf(files.kubeconfig);
  const meta = dockerMeta(files, context);
  const docker = await textOf(meta);
  const elsewhere = (what: string, place: string): LongshoreError =>
    new LongshoreError('conflict', `${what} has a context "${context}" that leads to ${place}`, {
      object: what,
      remedy: 'Choose another name: longshore env --merge --context NAME',
    });
  if (before !== undefined && before.trim() !== '') {
    const there = await serverOf(before, files.kubeconfig, context);
    if (there !== undefined && !own.ca?.equals(there.ca)) throw elsewhere(files.kubeconfig, there.server);
  }
  if (docker !== undefined && hostOf(docker) !== `unix://${home.dockerSocket}`) throw elsewhere(meta, hostOf(docker));

  await record(home, (all) => [...all.filter((one) => !same(one, { ...files, context })), { ...files, context }]);
  await replace(
    files.kubeconfig,
    mergeKubeconfig(
      before,
      { name: context, server: own.server, authority: String(own.ca), certificate: String(own.certificate), key: String(own.key) },
      false,
    ),
    0o600,
  );
  await replace(
    meta,
    JSON.stringify({
      Name: context,
      Metadata: { Description: `Longshore in ${home.root}` },
      Endpoints: { docker: { Host: `unix://${home.dockerSocket}`, SkipTLSVerify: false } },
    }),
    0o644,
  );
}

/**
 * Takes all contexts away that `mergeContexts` made for this instance. What the user has led elsewhere since stays.
 * @returns what was taken away, for people
 */
export async function removeMerged(home: Home): Promise<string[]> {
  const removed: string[] = [];
  for (const merged of await recorded(home)) {
    const { context, kubeconfig } = merged;
    const text = await textOf(kubeconfig);
    if (text !== undefined) {
      const [there, own] = [await serverOf(text, kubeconfig, context), await textOf(home.kubeconfig)];
      const ours = own === undefined || there === undefined ? undefined : await parseKubeconfig(own, home.kubeconfig);
      if (there && ours?.ca?.equals(there.ca)) {
        await replace(kubeconfig, removeFromKubeconfig(text, context), 0o600);
        removed.push(`the context ${context} in ${kubeconfig}`);
      }
    }
    const meta = dockerMeta(merged, context);
    const docker = await textOf(meta);
    if (docker === undefined || hostOf(docker) !== `unix://${home.dockerSocket}`) continue;
    await rm(dirname(meta), { recursive: true });
    removed.push(`Docker's context ${context}`);
  }
  await rm(recordFile(home), { force: true });
  return removed;
}

/** Docker keeps a context in a folder named by the hash of its name. */
function dockerMeta({ dockerConfig }: UserFiles, context: string): string {
  return join(dockerConfig, 'contexts/meta', createHash('sha256').update(context).digest('hex'), 'meta.json');
}

function hostOf(meta: string): string {
  try {
    return (JSON.parse(meta) as { readonly Endpoints?: { readonly docker?: { readonly Host?: string } } }).Endpoints?.docker?.Host ?? 'nowhere';
  } catch (error) {
    return `nowhere: ${messageOf(error)}`;
  }
}

/** What a context of a kubeconfig leads to; undefined when there is no such context. */
async function serverOf(text: string, path: string, context: string): Promise<{ readonly server: string; readonly ca: Buffer } | undefined> {
  const { parse } = await import('yaml');
  const root = parse(text, { maxAliasCount: 0 }) as { readonly contexts?: readonly { readonly name?: string }[] | null } | null;
  if (!root?.contexts?.some(({ name }) => name === context)) return undefined;
  const { ca = Buffer.alloc(0), server } = await parseKubeconfig(text, path, context);
  return { server, ca };
}

function same(a: Merged, b: Merged): boolean {
  return a.context === b.context && a.kubeconfig === b.kubeconfig && a.dockerConfig === b.dockerConfig;
}

function recordFile(home: Home): string {
  return join(home.root, 'merged.json');
}

async function recorded(home: Home): Promise<readonly Merged[]> {
  const text = await textOf(recordFile(home));
  return text === undefined ? [] : (JSON.parse(text) as readonly Merged[]);
}

async function record(home: Home, change: (all: readonly Merged[]) => readonly Merged[]): Promise<void> {
  await replace(recordFile(home), JSON.stringify(change(await recorded(home)), undefined, 2) + '\n', 0o600);
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Whole or not at all; keeps the owner and mode of what was there, and gives what is new to the owner of its folder. */
async function replace(path: string, text: string, mode: number): Promise<void> {
  const folder = dirname(path);
  const existing = await nearestFolder(folder);
  const owner = await stat(existing);
  const first = await mkdir(folder, { recursive: true, mode: 0o755 });
  // As root for a user (sudo), new folders are to be the user's.
  if (first !== undefined) {
    for (let each = folder; each.length > existing.length; each = dirname(each)) {
      await chown(each, owner.uid, owner.gid);
    }
  }
  const before = await stat(path).catch(() => ({ uid: owner.uid, gid: owner.gid, mode })); // it is new
  // The folder is the user's, and we may be root: a link that lies there in wait is not followed.
  await rm(path + '.new', { force: true });
  await using file = await open(path + '.new', 'wx', 0o600);
  await file.writeFile(text);
  await file.chmod(before.mode & 0o777);
  await file.chown(before.uid, before.gid);
  await rename(path + '.new', path);
}

async function nearestFolder(folder: string): Promise<string> {
  for (let each = folder; ; each = dirname(each)) {
    if (each === dirname(each) || (await stat(each).then((found) => found.isDirectory(), () => false))) return each; // it is not there
  }
}
