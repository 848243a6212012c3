import { connect } from 'node:tls';
import type { KubeSide } from './side.ts';

/**
 * Follows a watch over a connection of its own, and looks for nothing but one
 * text in each event: a hundred of these must not be what is measured.
 * @param see is given the first group of `pattern`; returns true when it has seen enough
 */
export async function follow(side: KubeSide, path: string, pattern: RegExp, see: (found: string) => boolean): Promise<void> {
  // A server may end a watch that lags; it begins anew.
  while (!(await followOnce(side, path, pattern, see))) await new Promise((resolve) => { setTimeout(resolve, 20); });
}

function followOnce(side: KubeSide, path: string, pattern: RegExp, see: (found: string) => boolean): Promise<boolean> {
  const { hostname, port } = new URL(side.url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
    let rest = '';
    let head = true;
    socket.setNoDelay(true);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${side.token}\r\nAccept: application/json\r\n\r\n`);
    socket.on('data', (chunk: Buffer) => {
      rest += chunk.toString('latin1');
      if (head && !rest.startsWith('HTTP/1.1 200')) reject(new Error(`GET ${path} answered ${rest.slice(0, 200)}`));
      head = false;
      const end = rest.lastIndexOf('\n');
      for (const [, found] of rest.slice(0, end).matchAll(pattern)) {
        if (!see(found!)) continue;
        socket.destroy();
        resolve(true);
        return;
      }
      rest = rest.slice(end + 1);
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(false));
  });
}
