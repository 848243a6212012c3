import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { GRPC, GrpcClient, GrpcError, serveGrpc, unary } from '../grpc.ts';
import type { GrpcHandler } from '../grpc.ts';
import { message, ProtobufError } from '../protobuf.ts';
import type { Message } from '../protobuf.ts';

interface Item {
  readonly name: string;
  readonly size: number;
  readonly when: bigint;
  readonly on: boolean;
  readonly data: Buffer;
  readonly tags: readonly string[];
  readonly numbers: readonly number[];
  readonly labels: Readonly<Record<string, string>>;
  readonly child: Item | undefined;
  readonly children: Readonly<Record<string, Item>>;
}
const Item: Message<Item> = message<Item>({
  name: [1, 'string'],
  size: [2, 'int64'],
  when: [3, 'bigint'],
  on: [4, 'bool'],
  data: [5, 'bytes'],
  tags: [6, 'string', 'repeated'],
  numbers: [7, 'int32', 'repeated'],
  labels: [8, 'string', 'map'],
  child: [9, () => Item],
  children: [100, () => Item, 'map'],
});

test('a message is what it was, empty fields and large numbers included', () => {
  const empty: Item = {
    name: '',
    size: 0,
    when: 0n,
    on: false,
    data: Buffer.alloc(0),
    tags: [],
    numbers: [],
    labels: Object.create(null) as Record<string, string>,
    child: undefined,
    children: Object.create(null) as Record<string, Item>,
  };
  assert.deepEqual(Item.decode(Buffer.alloc(0)), empty);
  const value: Partial<Item> = {
    name: 'ü',
    size: -3,
    when: 1_700_000_000_123_456_789n,
    on: true,
    data: Buffer.from([0, 255]),
    tags: ['', 'x'],
    numbers: [0, -1, 300],
    labels: { a: '', __proto__x: 'b' },
    child: { ...empty, name: 'inner' },
    children: { one: { ...empty, size: 2 ** 40 } },
  };
  const back = Item.decode(Item.encode(value));
  assert.equal(back.when, 1_700_000_000_123_456_789n);
  assert.deepEqual({ ...back, labels: { ...back.labels }, children: { ...back.children } }, { ...empty, ...value });
  // Packed numbers, and a field that nobody knows.
  assert.deepEqual(Item.decode(Buffer.from([0x3a, 3, 1, 0xac, 0x02, 0xf8, 0x0f, 5])).numbers, [1, 300]);
});

test('malformed messages are refused', () => {
  for (const bytes of [
    [0x0a, 5, 1],
    [0x0a],
    [0x08, 1],
    [0x12, 1, 0],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
    [0x0b],
  ]) {
    assert.throws(() => Item.decode(Buffer.from(bytes)), ProtobufError);
  }
  let nested = Buffer.alloc(0);
  for (let n = 0; n < 100; n++) {
    nested = Buffer.concat([
      Buffer.from([0x4a, ...(nested.length < 128 ? [nested.length] : [(nested.length & 127) | 128, nested.length >> 7])]),
      nested,
    ]);
  }
  assert.throws(() => Item.decode(nested), /nested too deeply/);
});

async function pair(t: TestContext, handlers: Record<string, GrpcHandler>): Promise<GrpcClient> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    serveGrpc(socket, Buffer.alloc(0), new Map(Object.entries(handlers)), (error) => new GrpcError(GRPC.INTERNAL, String(error)));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const client = new GrpcClient(connect((server.address() as AddressInfo).port, '127.0.0.1'));
  t.after(() => {
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return client;
}

test('unary calls, metadata, errors with their words', async (t) => {
  const client = await pair(t, {
    '/a/Echo': unary((message, { metadata }) => Promise.resolve(Buffer.concat([message, Buffer.from(String(metadata['x-more']))]))),
    '/a/Fail': unary(() => Promise.reject(new GrpcError(GRPC.NOT_FOUND, 'no “such” 100% thing\n'))),
    '/a/Bug': unary(() => Promise.reject(new Error('oops'))),
  });
  assert.equal((await client.unary('/a/Echo', Buffer.from('hi '), { 'x-more': 'there' })).toString(), 'hi there');
  const large = Buffer.alloc(3_000_000, 7);
  assert.equal((await client.unary('/a/Echo', large, { 'x-more': '' })).length, large.length);
  await assert.rejects(client.unary('/a/Fail', Buffer.alloc(0)), { code: GRPC.NOT_FOUND, message: 'no “such” 100% thing\n' });
  await assert.rejects(client.unary('/a/Bug', Buffer.alloc(0)), { code: GRPC.INTERNAL, message: 'Error: oops' });
  await assert.rejects(client.unary('/a/None', Buffer.alloc(0)), { code: GRPC.UNIMPLEMENTED });
  client.close();
  await assert.rejects(client.unary('/a/Echo', Buffer.alloc(0)), { code: GRPC.UNAVAILABLE });
});

test('streams both ways; a cancelled call ends its handler', async (t) => {
  let cancelled: (() => void) | undefined;
  const sawCancel = new Promise<void>((resolve) => (cancelled = resolve));
  const client = await pair(t, {
    '/a/Double': async (call) => {
      for await (const message of call.messages) {
        await call.send(message);
        await call.send(message);
      }
    },
    '/a/Hang': (call) =>
      new Promise((_, reject) => {
        call.signal.addEventListener('abort', () => {
          cancelled?.();
          reject(call.signal.reason as Error);
        });
      }),
  });
  const call = client.call('/a/Double');
  for (const word of ['a', 'b', '']) await call.send(Buffer.from(word));
  call.end();
  const got: string[] = [];
  for await (const message of call.messages) got.push(message.toString());
  assert.deepEqual(got, ['a', 'a', 'b', 'b', '', '']);
  const hang = client.call('/a/Hang');
  await new Promise((resolve) => setTimeout(resolve, 50));
  hang.cancel();
  await sawCancel;
});
