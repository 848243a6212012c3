import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where the real peers are built and kept: LONGSHORE_PEERS, else a folder of the user's cache. Their programs are in `bin`. */
export function peersFolder(): string {
  return process.env['LONGSHORE_PEERS'] ?? join(homedir(), '.cache/longshore/peers');
}

export function peerPrograms(): string {
  return join(peersFolder(), 'bin');
}
