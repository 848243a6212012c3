import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { SpdyConnection, type SpdyStream } from './spdy-connection.ts';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';
import { SpdyReader } from './spdy-frames.ts';

/** A client's end, made with zlib alone: what kubectl's library does. */
class Client {
  readonly #deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  readonly #inflate = createInflate({ dictionary: SPDY_DICTIONARY });
  readonly socket: Socket;
  readonly replies: { stream: number; headers: number }[] = [];
  readonly data = new Map<number, Buffer>();
  readonly fins = new Set<number>();
  readonly resets: number[] = [];
  #pending: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => void this.#take(bytes));
  }

  async open(id: number, headers: Record<string, string>): Promise<void> {
    const parts = [
      u32(Object.keys(headers).length),
      ...Object.entries(headers).flatMap(([name, value]) => [u32(name.length), Buffer.from(name), u32(value.length), Buffer.from(value)]),
    ];
    const block = await flushed(this.#deflate, Buffer.concat(parts));
    this.socket.write(control(1, Buffer.concat([u32(id), u32(0), Buffer.alloc(2), block])));
  }

  reset(id: number): void {
    this.socket.write(control(3, Buffer.concat([u32(id), u32(5)])));
  }

  write(id: number, text: string, fin = false): void {
    this.socket.write(Buffer.concat([u32(id), Buffer.from([fin ? 1 : 0, 0, 0, text.length]), Buffer.from(text)]));
  }

  async #take(bytes: Buffer): Promise<void> {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    while (this.#pending.length >= 8) {
      const length = this.#pending.readUIntBE(5, 3);
      if (this.#pending.length < 8 + length) return;
      const head = this.#pending.subarray(0, 8);
      const body = Buffer.from(this.#pending.subarray(8, 8 + length));
      this.#pending = this.#pending.subarray(8 + length);
      if (head[0]! & 0x80) {
        if (head.readUInt16BE(2) === 2) {
          this.replies.push({ stream: body.readUInt32BE(0), headers: (await flushed(this.#inflate, body.subarray(4))).readUInt32BE(0) });
        }
        if (head.readUInt16BE(2) === 3) this.resets.push(body.readUInt32BE(0));
      } else {
        const id = head.readUInt32BE(0);
        this.data.set(id, Buffer.concat([this.data.get(id) ?? Buffer.alloc(0), body]));
        if (head[4]! & 1) this.fins.add(id);
      }
    }
  }
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

function control(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x80, 3, 0, type, 0, (body.length >> 16) & 255, (body.length >> 8) & 255, body.length & 255]), body]);
}

/** What a zlib stream gives for one piece of input, flushed. */
function flushed(stream: Deflate | Inflate, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const take = (piece: Buffer): void => void out.push(piece);
    stream.on('data', take).once('error', reject);
    stream.write(input, () => stream.flush(() => {
      stream.off('data', take).off('error', reject);
      resolve(Buffer.concat(out));
    }));
  });
}

async function pair(onStream: (stream: SpdyStream) => void): Promise<{ client: Client; connection: SpdyConnection; close: () => Promise<void> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket = connect(port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  const connection = new SpdyConnection(accepted, onStream);
  return {
    client: new Client(socket), connection,
    async close() {
      socket.destroy();
      await connection.closed;
      server.close();
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    assert.ok(tries < 500, 'it did not come about');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('streams are opened one after the other over one header context, answered, and carry bytes both ways', async () => {
  const types: string[] = [];
  const { client, close } = await pair((stream) => {
    types.push(stream.headers.get('streamtype')!);
    stream.on('data', (data: Buffer) => stream.write(data.toString().toUpperCase()));
    stream.on('end', () => stream.end());
  });
  for (const [at, type] of ['error', 'stdin', 'stdout'].entries()) await client.open(at * 2 + 1, { streamType: type, port: '8080' });
  await until(() => client.replies.length === 3);
  assert.deepEqual(types, ['error', 'stdin', 'stdout']);
  assert.deepEqual(client.replies, [1, 3, 5].map((stream) => ({ stream, headers: 0 })));
  client.write(3, 'late bytes');
  await until(() => client.data.get(3)?.toString() === 'LATE BYTES');
  client.write(3, ' and more', true);
  await until(() => client.fins.has(3));
  assert.equal(client.data.get(3)!.toString(), 'LATE BYTES AND MORE');
  await close();
});

test('a large answer is cut into frames and arrives whole', async () => {
  const payload = Buffer.alloc(200_000, 'abcdefgh');
  const { client, close } = await pair((stream) => {
    stream.resume();
    stream.end(payload);
  });
  await client.open(1, { streamtype: 'data' });
  await until(() => client.fins.has(1));
  assert.ok(client.data.get(1)!.equals(payload));
  await close();
});

test('a stream that is given up is reset, unless the client gave it up or it was at its end', async () => {
  const streams = new Map<number, SpdyStream>();
  const { client, close } = await pair((stream) => {
    streams.set(stream.id, stream.resume());
  });
  for (const id of [1, 3, 5, 7]) await client.open(id, { streamtype: 'data' });
  await until(() => streams.size === 4);
  streams.get(1)!.destroy();
  client.reset(3);
  await until(() => streams.get(3)!.destroyed);
  streams.get(5)!.end('all');
  client.write(5, 'bye', true);
  await until(() => streams.get(5)!.destroyed);
  streams.get(7)!.destroy();
  await until(() => client.resets.length === 2);
  assert.deepEqual(client.resets, [1, 7]);
  await close();
});

test('bytes that are not SPDY end the connection', async () => {
  const { client, connection, close } = await pair(() => assert.fail('no stream was asked for'));
  client.socket.write(Buffer.from([0x80, 9, 0, 1, 0, 0, 0, 4, 1, 2, 3, 4]));
  await connection.closed;
  await close();
});

test('a frame that claims to be huge is refused before it is kept', async () => {
  const reader = new SpdyReader();
  await assert.rejects(async () => {
    for await (const frame of reader.read(Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]))) assert.fail(frame.type);
  }, /too large/);
  reader.close();
});
