/** Requests to the Docker API without its command line. */
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** One request. A `body` that is no text goes as JSON. */
export function call(socketPath: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const outgoing = request(
      { socketPath, method, path, headers: { ...(payload === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers } },
      (answer) => {
        let text = '';
        answer
          .setEncoding('utf8')
          .on('data', (piece: string) => (text += piece))
          .on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }))
          .on('error', reject);
      },
    );
    outgoing.on('error', reject).end(payload);
  });
}

export function messageOf(answer: Answer): string {
  return (JSON.parse(answer.text) as { message: string }).message;
}

/** A POST that asks to upgrade the connection: all that comes back until the other side closes. `end` closes our side at once. */
export function upgraded(socketPath: string, path: string, body: unknown, end = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath });
    const payload = JSON.stringify(body);
    let got = '';
    socket
      .setEncoding('latin1')
      .on('data', (piece: string) => (got += piece))
      .on('close', () => resolve(got))
      .on('error', reject);
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(payload)}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n${payload}`,
    );
    if (end) socket.end();
  });
}
