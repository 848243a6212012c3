// The guestbook's API: keeps entries in memory, and asks for a key before it takes one.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

interface Entry { readonly name: string; readonly text: string; readonly at: string }

const entries: Entry[] = [];
const key = process.env.API_KEY ?? '';
const most = Number(process.env.MOST_ENTRIES ?? '100');

const server = createServer((request, response) => {
  const reply = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body) + '\n');
  };
  if (request.url === '/healthz') return reply(200, { ok: true });
  if (request.url !== '/entries') return reply(404, { error: 'there is only /entries' });
  if (request.method === 'GET') return reply(200, { entries, servedBy: hostname() });
  if (request.method !== 'POST') return reply(405, { error: 'GET or POST' });
  if (request.headers.authorization !== `Bearer ${key}`) return reply(401, { error: 'the key is wrong' });
  let body = '';
  request.setEncoding('utf8').on('data', (piece: string) => {
    body += piece;
    if (body.length > 10_000) request.destroy();
  }).on('end', () => {
    let entry: Partial<Entry>;
    try {
      entry = JSON.parse(body) as Partial<Entry>;
    } catch {
      return reply(400, { error: 'the body is not JSON' });
    }
    if (typeof entry.name !== 'string' || typeof entry.text !== 'string') return reply(400, { error: 'name and text are needed' });
    entries.push({ name: entry.name, text: entry.text, at: new Date().toISOString() });
    entries.splice(0, entries.length - most);
    return reply(201, entries.at(-1));
  });
});

server.listen(Number(process.env.PORT ?? 8080), () => console.log(`guestbook api listens on ${process.env.PORT ?? 8080}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
