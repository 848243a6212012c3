// The guestbook's page, and the way to its API, which is found by the name of its Service.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';

const api = process.env.API_URL ?? 'http://guestbook-api';
const page = readFileSync('page.html', 'utf8').replaceAll('{{title}}', process.env.TITLE ?? 'Guestbook');

const server = createServer((request, response) => {
  void answer(request.method ?? 'GET', request.url ?? '/', request).then(({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body));
});

interface Answer { readonly status: number; readonly type: string; readonly body: string }

async function answer(method: string, url: string, body: AsyncIterable<Buffer>): Promise<Answer> {
  if (url === '/') return { status: 200, type: 'text/html; charset=utf-8', body: page };
  if (url === '/healthz') return { status: 200, type: 'text/plain', body: 'ok\n' };
  if (url !== '/entries') return { status: 404, type: 'text/plain', body: 'not found\n' };
  try {
    const sent = method === 'POST' ? Buffer.concat(await Array.fromAsync(body)).toString() : undefined;
    const reply = await fetch(`${api}/entries`, { method, body: sent, headers: { authorization: `Bearer ${process.env.API_KEY ?? ''}` }, signal: AbortSignal.timeout(5000) });
    return { status: reply.status, type: 'application/json', body: await reply.text() };
  } catch (error) {
    return { status: 502, type: 'application/json', body: JSON.stringify({ error: `the API can't be reached: ${String(error)}` }) + '\n' };
  }
}

server.listen(Number(process.env.PORT ?? 8080), () => console.log(`guestbook web listens on ${process.env.PORT ?? 8080}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
