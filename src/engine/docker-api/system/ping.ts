import type { ServerResponse } from 'node:http';
import type { Deps } from '../deps.ts';

/** `GET` and `HEAD /_ping`: from its headers a client learns which versions are spoken, and which builder to use. */
export async function ping(deps: Deps, response: ServerResponse, body: boolean): Promise<void> {
  const headers = {
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    'Content-Type': 'text/plain; charset=utf-8',
    Swarm: 'inactive',
    ...(deps.builder === undefined ? {} : { 'Builder-Version': '2' }),
  };
  response.writeHead(200, { ...headers, 'Content-Length': body ? 2 : 0 });
  response.end(body ? 'OK' : undefined);
  return Promise.resolve();
}
