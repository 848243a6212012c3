import type { JoinOptions } from '../app/join.ts';
import { UsageError, type Flag } from './command.ts';

/** What "longshore token" prints on the server. */
export const JOIN_FLAGS = {
  server: { type: 'string', value: 'URL', describe: "the cluster's API, as https://10.0.0.1:6443" },
  token: { type: 'string', value: 'TOKEN', describe: 'what "longshore token" printed on the server' },
  'ca-hash': { type: 'string', value: 'HASH', describe: "hash of the key of the cluster's authority, as sha256:…" },
  name: { type: 'string', value: 'NAME', describe: "the node's name (default: that under which it joined, else the host name)" },
} as const satisfies Readonly<Record<string, Flag>>;

/** All three together, or none. @throws UsageError */
export function joinOptionsOf(values: { readonly server?: string; readonly token?: string; readonly 'ca-hash'?: string }): JoinOptions | undefined {
  const { server, token, 'ca-hash': caHash } = values;
  if (server === undefined && token === undefined && caHash === undefined) return undefined;
  if (server === undefined || token === undefined || caHash === undefined) {
    throw new UsageError(
      'joining needs --server, --token and --ca-hash together',
      'Copy the line that "longshore token" prints on the server.',
    );
  }
  if (!URL.canParse(server) || !server.startsWith('https://')) {
    throw new UsageError(`--server ${server} is no address such as https://10.0.0.1:6443`);
  }
  return { server, token, caHash };
}
