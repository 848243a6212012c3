import type { Exchange } from '../http/exchange.ts';

/** Headers that end here: they belong to this connection, or say who the user is to us and to nobody else. */
const OURS = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'authorization',
  'content-length',
  'expect',
  'x-remote-user',
  'x-remote-group',
  'x-remote-uid',
]);

/** The headers of a request that go on to a node, pod or service. What `Connection` names goes no further either. */
export function relayedHeaders(exchange: Exchange): (readonly [string, string])[] {
  const named = new Set(
    exchange
      .headers('connection')
      .flatMap((value) => value.split(','))
      .map((name) => name.trim().toLowerCase()),
  );
  return exchange
    .allHeaders()
    .filter(([name]) => !OURS.has(name) && !named.has(name) && !name.startsWith('impersonate-') && !name.startsWith('x-remote-extra-'));
}

/** Whether a request asks for another protocol on its connection (RFC 9110, section 7.8); the protocol. */
export function upgradeOf(exchange: Exchange): string | undefined {
  const asks = exchange.headers('connection').some((value) => value.split(',').some((part) => part.trim().toLowerCase() === 'upgrade'));
  return asks ? exchange.header('upgrade') : undefined;
}

/** Joins the head of a request. Values were checked by the parser that read them; a line break in one would still be refused here. */
export function requestHead(method: string, path: string, headers: readonly (readonly [string, string])[]): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  if (lines.some((line) => /[\r\n]/.test(line))) throw new TypeError('a header with a line break');
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
