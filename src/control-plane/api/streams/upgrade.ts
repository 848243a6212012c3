import type { Duplex } from 'node:stream';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { badRequest, failure } from '../errors.ts';
import type { ApiRequest } from '../http/request.ts';
import { dialError } from './node-connection.ts';
import { relayedHeaders, requestHead, upgradeOf } from './relay-headers.ts';
import { readResponseHead } from './response-head.ts';

const MAX_REFUSAL_BYTES = 65_536;

/**
 * Takes an upgrade through to `target`: the head of the request with its
 * upgrade headers, then, once the other side has switched protocols, every
 * byte both ways. An answer that is no 101 is handed to the client as an
 * ordinary one, and both connections end: nothing that the client sends after
 * its request reaches anybody. Redirects are not followed.
 * @param host value of the Host header
 */
export async function relayUpgrade(request: ApiRequest, target: Duplex, method: string, path: string, host: string): Promise<void> {
  const { exchange } = request;
  const protocol = upgradeOf(exchange);
  if (protocol === undefined) {
    target.destroy();
    throw badRequest('Upgrade request required');
  }
  // Until the client's side is known, an error of the target's is the answer.
  target.on('error', () => target.destroy());
  exchange.onClose(() => {
    if (!exchange.answered) target.destroy();
  });
  target.write(
    requestHead(method, path, [
      ['host', host],
      ...relayedHeaders(exchange),
      ['connection', 'Upgrade'],
      ['upgrade', protocol],
      ...(method === 'POST' ? [['content-length', '0'] as const] : []),
    ]),
  );
  let head;
  try {
    head = await readResponseHead(target);
  } catch (error) {
    target.destroy();
    throw dialError(error);
  }
  if (head.status !== 101) {
    if (head.status >= 300 && head.status < 400) {
      target.destroy();
      throw new StatusError(failure(502, 'BadGateway', 'the node answered with a redirect, which is not followed'));
    }
    const body = await rest(target, head.rest, Number(head.headers.get('content-length') ?? Number.POSITIVE_INFINITY));
    target.destroy();
    exchange.respond(head.status, [...request.headers, 'Content-Type', head.headers.get('content-type') ?? 'text/plain', 'Connection', 'close'], body);
    return;
  }
  const taken = exchange.takeSocket();
  if (taken === undefined) {
    target.destroy();
    throw badRequest('the connection cannot be upgraded');
  }
  const { socket: client, head: early } = taken;
  client.write(head.bytes);
  if (head.rest.length > 0) client.write(head.rest);
  if (early.length > 0) target.write(early);
  join(client, target);
}

/** Both ways until either side ends; one that fails takes the other along. Backpressure passes through. */
export function join(a: Duplex, b: Duplex): void {
  const end = (): void => {
    a.destroy();
    b.destroy();
  };
  for (const [from, to] of [[a, b], [b, a]] as const) {
    from.on('error', end);
    from.on('close', () => (to.writableLength === 0 ? end() : to.end()));
    from.pipe(to);
  }
}

/** The body of a refusal, as far as it is sensible to read. */
function rest(stream: Duplex, first: Buffer, length: number): Promise<Buffer> {
  return new Promise((resolve) => {
    let body = first;
    const wanted = Math.min(length, MAX_REFUSAL_BYTES);
    const finish = (): void => resolve(body.subarray(0, wanted));
    if (body.length >= wanted) {
      finish();
      return;
    }
    stream.on('data', (chunk: Buffer) => {
      body = Buffer.concat([body, chunk]);
      if (body.length >= wanted) finish();
    });
    stream.on('end', finish);
    stream.on('close', finish);
    stream.resume();
  });
}
