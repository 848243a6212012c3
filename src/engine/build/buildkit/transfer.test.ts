// Files between a client and the builder: what comes is what the client has, and no client reaches beyond its folder.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { GRPC, GrpcClient, GrpcError, serveGrpc, unary } from '../../../lib/grpc.ts';
import type { GrpcHandler, ServerCall } from '../../../lib/grpc.ts';
import { systemClock } from '../../../lib/clock.ts';
import { receiveFiles } from './file-receive.ts';
import { sendFile, sendFolder } from './file-send.ts';
import { BytesMessage, CredentialsRequest, CredentialsResponse, PACKET, Packet, SecretRequest, SecretResponse } from './messages.ts';
import type { Stat } from './messages.ts';
import { Session, Sessions } from './sessions.ts';

const SYNC = '/moby.filesync.v1.FileSync/DiffCopy';
const SEND = '/moby.filesync.v1.FileSend/DiffCopy';
const DIRECTORY = 0x8000_0000;
const SYMLINK = 0x0800_0000;
const { signal } = new AbortController();

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'transfer-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A session whose client answers with these. */
async function session(t: TestContext, handlers: Record<string, GrpcHandler>): Promise<Session> {
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
  return new Session('id', 'key', client, new Set(Object.keys(handlers).map((name) => name.toLowerCase())));
}

type File = Partial<Stat> & { readonly path: string; readonly mode: number; readonly content?: string };

/** Sends files as a client does; tells which were asked for. */
function sender(files: readonly File[], asked: string[] = []): GrpcHandler {
  return async (call: ServerCall) => {
    for (const { content, ...stat } of files) {
      await call.send(
        Packet.encode({ type: PACKET.STAT, stat: { modTime: 1_600_000_000_000_000_000n, size: content?.length ?? 0, ...stat } as Stat }),
      );
    }
    await call.send(Packet.encode({ type: PACKET.STAT }));
    for await (const bytes of call.messages) {
      const packet = Packet.decode(bytes);
      if (packet.type === PACKET.FIN) {
        await call.send(Packet.encode({ type: PACKET.FIN }));
        return;
      }
      if (packet.type !== PACKET.REQ) continue;
      const file = files[packet.id]!;
      asked.push(file.path);
      const content = Buffer.from(file.content ?? '');
      for (let at = 0; at < content.length; at += 5) {
        await call.send(Packet.encode({ type: PACKET.DATA, id: packet.id, data: content.subarray(at, at + 5) }));
      }
      await call.send(Packet.encode({ type: PACKET.DATA, id: packet.id }));
    }
  };
}

test('a folder comes whole; the second time only what has changed, and what is gone goes', async (t) => {
  const into = folder(t);
  const files: File[] = [
    { path: 'a', mode: 0o644, content: 'hello world' },
    { path: 'd', mode: (DIRECTORY | 0o750) >>> 0 },
    { path: 'd/empty', mode: 0o600, content: '' },
    { path: 'd/link', mode: SYMLINK | 0o777, linkname: '../../outside' },
    { path: 'd/run', mode: (0o755 | 0x0080_0000) >>> 0, content: '#!/bin/sh' },
    { path: 'e', mode: 0o644, linkname: 'a' },
  ];
  const asked: string[] = [];
  await receiveFiles(await session(t, { [SYNC]: sender(files, asked) }), { name: 'context', into, signal });
  assert.deepEqual(asked.toSorted(), ['a', 'd/empty', 'd/run']);
  assert.equal(readFileSync(join(into, 'a'), 'utf8'), 'hello world');
  assert.equal(readlinkSync(join(into, 'd/link')), '../../outside');
  assert.deepEqual(
    [statSync(join(into, 'd')).mode & 0o777, statSync(join(into, 'd/run')).mode & 0o7777, statSync(join(into, 'a')).mtimeMs],
    [0o750, 0o4755, 1_600_000_000_000],
  );
  assert.equal(statSync(join(into, 'e')).ino, statSync(join(into, 'a')).ino);
  writeFileSync(join(into, 'stray'), '');
  mkdirSync(join(into, 'd/stray/deep'), { recursive: true });
  const again: string[] = [];
  await receiveFiles(
    await session(t, {
      [SYNC]: sender(
        [
          { path: 'd', mode: (DIRECTORY | 0o755) >>> 0 },
          { path: 'd/empty', mode: 0o600, content: '' },
          { path: 'd/run', mode: 0o755, content: 'changed' },
        ],
        again,
      ),
    }),
    { name: 'context', into, signal },
  );
  assert.deepEqual(again, ['d/run']);
  assert.deepEqual(
    [
      existsSync(join(into, 'stray')),
      existsSync(join(into, 'd/stray')),
      existsSync(join(into, 'a')),
      readFileSync(join(into, 'd/run'), 'utf8'),
    ],
    [false, false, false, 'changed'],
  );
});

test('a hostile client stays in its folder', async (t) => {
  const outside = folder(t);
  writeFileSync(join(outside, 'secret'), 'secret');
  const cases: Record<string, readonly File[]> = {
    'a name that climbs': [{ path: '../secret', mode: 0o644, content: 'evil' }],
    'an absolute name': [{ path: join(outside, 'secret'), mode: 0o644, content: 'evil' }],
    'a climb within': [{ path: 'a', mode: (DIRECTORY | 0o755) >>> 0 }, { path: 'a/../../secret', mode: 0o644, content: 'evil' }],
    'a file through a link': [{ path: 'a', mode: SYMLINK | 0o777, linkname: outside }, { path: 'a/secret', mode: 0o644, content: 'evil' }],
    'a folder, then a link of the same name': [{ path: 'a', mode: (DIRECTORY | 0o755) >>> 0 }, { path: 'a', mode: SYMLINK | 0o777, linkname: outside }],
    'a hard link out': [{ path: 'a', mode: 0o644, linkname: '../secret' }],
    'a hard link to what was not sent': [{ path: 'a', mode: 0o644, linkname: 'old' }],
    'a file without its folder': [{ path: 'x/y', mode: 0o644, content: 'evil' }],
    'an empty part': [{ path: 'a//b', mode: 0o644, content: 'evil' }],
  };
  for (const [name, files] of Object.entries(cases)) {
    const into = join(outside, `into-${Object.keys(cases).indexOf(name)}`);
    mkdirSync(into);
    writeFileSync(join(into, 'old'), 'old');
    await assert.rejects(receiveFiles(await session(t, { [SYNC]: sender(files) }), { name: 'context', into, signal }), { code: 'invalid' }, name);
    assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret', name);
  }
  // Links of an earlier transfer lie in the folder: a folder takes their place.
  const into = join(outside, 'links');
  mkdirSync(into);
  symlinkSync(outside, join(into, 'a'));
  await receiveFiles(
    await session(t, {
      [SYNC]: sender([
        { path: 'a', mode: (DIRECTORY | 0o755) >>> 0 },
        { path: 'a/secret', mode: 0o644, content: 'evil' },
      ]),
    }),
    { name: 'context', into, signal },
  );
  assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
  assert.ok(lstatSync(join(into, 'a')).isDirectory());
});

test('a client that lies about the protocol, breaks off, or has no such folder', async (t) => {
  const into = folder(t);
  const unasked: GrpcHandler = async (call) => {
    await call.send(Packet.encode({ type: PACKET.DATA, id: 7, data: Buffer.from('x') }));
    await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
  };
  await assert.rejects(receiveFiles(await session(t, { [SYNC]: unasked }), { name: 'c', into, signal }), /was not asked for/);
  await assert.rejects(receiveFiles(await session(t, { [SYNC]: () => Promise.resolve() }), { name: 'c', into, signal }), /ended early/);
  await assert.rejects(
    receiveFiles(await session(t, { [SYNC]: () => Promise.reject(new GrpcError(GRPC.NOT_FOUND, 'no access allowed to dir "c"')) }), {
      name: 'c',
      into,
      signal,
    }),
    /no access allowed/,
  );
  await assert.rejects(receiveFiles(await session(t, {}), { name: 'c', into, signal }), /no local sources enabled/);
  const error: GrpcHandler = async (call) => {
    await call.send(Packet.encode({ type: PACKET.ERR, data: Buffer.from('disk on fire') }));
  };
  await assert.rejects(receiveFiles(await session(t, { [SYNC]: error }), { name: 'c', into, signal }), /disk on fire/);
});

test('what is asked for goes as metadata, names in other alphabets too', async (t) => {
  let seen: Record<string, unknown> = {};
  const handler: GrpcHandler = async (call) => {
    seen = { ...call.metadata };
    await sender([])(call);
  };
  await receiveFiles(await session(t, { [SYNC]: handler }), {
    name: 'context',
    into: folder(t),
    exclude: ['*.log', 'ü'],
    follow: ['a', 'b'],
    signal,
  });
  assert.deepEqual(
    [seen['dir-name'], seen['exclude-patterns'], seen['exclude-patterns-encoded'], seen['followpaths']],
    ['context', '*.log, %C3%BC', '1', 'a, b'],
  );
});

test('results go to the client: a file in pieces, a folder by the same protocol', async (t) => {
  let got = Buffer.alloc(0);
  const bytes = Buffer.alloc(3_000_000, 'abc');
  const take: GrpcHandler = async (call) => {
    assert.equal(call.metadata['buildkit-attachable-exporter-id'], '2');
    for await (const message of call.messages) got = Buffer.concat([got, BytesMessage.decode(message).data]);
  };
  await sendFile(await session(t, { [SEND]: take }), 2, Readable.from([bytes], { objectMode: false }), {}, signal);
  assert.ok(got.equals(bytes));
  await assert.rejects(
    sendFile(
      await session(t, { [SEND]: () => Promise.reject(new GrpcError(GRPC.ALREADY_EXISTS, 'target already exists')) }),
      0,
      Readable.from([bytes], { objectMode: false }),
      {},
      signal,
    ),
    /target already exists/,
  );

  const root = folder(t);
  mkdirSync(join(root, 'd'));
  writeFileSync(join(root, 'd/x'), 'content');
  chmodSync(join(root, 'd/x'), 0o640);
  utimesSync(join(root, 'd/x'), 1000, 1000);
  symlinkSync('d/x', join(root, 'l'));
  const stats: Stat[] = [];
  let content = '';
  const receive: GrpcHandler = async (call) => {
    for await (const message of call.messages) {
      const packet = Packet.decode(message);
      if (packet.type === PACKET.STAT && packet.stat) stats.push(packet.stat);
      else if (packet.type === PACKET.STAT) await call.send(Packet.encode({ type: PACKET.REQ, id: 1 }));
      else if (packet.type === PACKET.DATA && packet.data.length > 0) content += packet.data.toString();
      else if (packet.type === PACKET.DATA) await call.send(Packet.encode({ type: PACKET.FIN }));
      else if (packet.type === PACKET.FIN) return;
    }
  };
  await sendFolder(await session(t, { [SEND]: receive }), 0, root, signal);
  assert.deepEqual(
    stats.map((stat) => [stat.path, stat.mode, stat.size, stat.linkname]),
    [
      ['d', (DIRECTORY | 0o755) >>> 0, 0, ''],
      ['d/x', 0o640, 7, ''],
      ['l', (SYMLINK | 0o777) >>> 0, 0, 'd/x'],
    ],
  );
  assert.equal(stats[1]!.modTime, 1_000_000_000_000n);
  assert.equal(content, 'content');
});

test('secrets and credentials: asked for once, and none is no error', async (t) => {
  let asked = 0;
  const one = await session(t, {
    '/moby.buildkit.secrets.v1.Secrets/GetSecret': unary((message) => {
      const { id } = SecretRequest.decode(message);
      return id === 'there'
        ? Promise.resolve(SecretResponse.encode({ data: Buffer.from('value') }))
        : Promise.reject(new GrpcError(GRPC.NOT_FOUND, 'secret not found'));
    }),
    '/moby.filesync.v1.Auth/Credentials': unary((message) => {
      asked++;
      const { host } = CredentialsRequest.decode(message);
      return Promise.resolve(
        CredentialsResponse.encode(
          host === 'registry-1.docker.io'
            ? { username: 'me', secret: 'pass' }
            : host === 'token.example'
              ? { username: '', secret: 'identity' }
              : {},
        ),
      );
    }),
  });
  assert.equal((await one.secret('there', signal))?.toString(), 'value');
  assert.equal(await one.secret('missing', signal), undefined);
  assert.deepEqual(await one.credentials('docker.io', signal), { username: 'me', password: 'pass' });
  assert.deepEqual(await one.credentials('docker.io', signal), { username: 'me', password: 'pass' });
  assert.deepEqual(await one.credentials('token.example', signal), { identityToken: 'identity' });
  assert.equal(await one.credentials('other.example', signal), undefined);
  assert.equal(asked, 3);
  const none = await session(t, {});
  assert.equal(await none.secret('x', signal), undefined);
  assert.equal(await none.credentials('docker.io', signal), undefined);
});

test('a build waits a moment for its session, and no longer', async () => {
  let late: (() => void) | undefined;
  const sessions = new Sessions({ ...systemClock, after: (_ms, fn) => ((late = fn), () => {}) });
  const waiting = sessions.get('never', signal);
  late!();
  await assert.rejects(waiting, { code: 'not-found', message: /no active session for never/ });
  const controller = new AbortController();
  const cancelled = sessions.get('never', controller.signal);
  controller.abort(new Error('gone'));
  await assert.rejects(cancelled, /gone/);
});
