import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { LongshoreError } from '../../../lib/errors.ts';
import type { ClientCall } from '../../../lib/grpc.ts';
import { goModeOf, kindOf } from './file-mode.ts';
import { BytesMessage, PACKET, Packet } from './messages.ts';
import type { Stat } from './messages.ts';
import type { Session } from './sessions.ts';

const METHOD = '/moby.filesync.v1.FileSend/DiffCopy';
const PIECE = 1 << 20;

/** Sends one file (a tar) to the client's output number `exporter`. */
export async function sendFile(
  session: Session,
  exporter: number,
  source: Readable,
  metadata: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const call = open(session, exporter, metadata, signal);
  // Its end, or its failure, comes by the other direction; the failure is told where it is awaited.
  const ended = drain(call);
  let failed = false;
  void ended.catch(() => (failed = true));
  for await (const piece of source as AsyncIterable<Buffer>) {
    if (failed) break;
    for (let at = 0; at < piece.length; at += PIECE) await call.send(BytesMessage.encode({ data: piece.subarray(at, at + PIECE) }));
  }
  call.end();
  await ended;
}

/** Sends a folder to the client's output: fsutil's protocol, as the sender. The folder doesn't change meanwhile. */
export async function sendFolder(session: Session, exporter: number, root: string, signal: AbortSignal): Promise<void> {
  const call = open(session, exporter, {}, signal);
  const files: (string | undefined)[] = [];
  const telling = (async () => {
    for await (const stat of walk(root, '')) {
      files.push(kindOf(stat.mode) === 'file' ? stat.path : undefined);
      await call.send(Packet.encode({ type: PACKET.STAT, stat: stat as Stat }));
    }
    await call.send(Packet.encode({ type: PACKET.STAT }));
  })();
  telling.catch(() => {}); // told where the client's FIN awaits it, or by the call's own failure
  try {
    for await (const bytes of call.messages) {
      const packet = Packet.decode(bytes);
      if (packet.type === PACKET.ERR) throw new LongshoreError('invalid', `error from receiver: ${packet.data.toString('utf8')}`);
      if (packet.type === PACKET.FIN) {
        await telling;
        await call.send(Packet.encode({ type: PACKET.FIN }));
        call.end();
      }
      if (packet.type !== PACKET.REQ) continue;
      const path = files[packet.id];
      if (path === undefined) throw new LongshoreError('invalid', `the client asked for an invalid file id ${packet.id}`);
      for await (const data of createReadStream(join(root, path), { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
        await call.send(Packet.encode({ type: PACKET.DATA, id: packet.id, data }));
      }
      await call.send(Packet.encode({ type: PACKET.DATA, id: packet.id }));
    }
    await telling;
  } finally {
    call.cancel();
  }
}

function open(session: Session, exporter: number, metadata: Readonly<Record<string, string>>, signal: AbortSignal): ClientCall {
  if (!session.supports(METHOD)) throw new LongshoreError('invalid', 'the client takes no output');
  return session.client.call(
    METHOD,
    {
      'buildkit-attachable-exporter-id': String(exporter),
      ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`exporter-md-${key}`, value])),
    },
    signal,
  );
}

async function drain(call: ClientCall): Promise<void> {
  for await (const _ of call.messages) {
    // Nothing is said but the end.
  }
}

async function* walk(root: string, folder: string): AsyncGenerator<Partial<Stat> & { path: string; mode: number }> {
  for (const name of (await readdir(join(root, folder))).sort()) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const stats = await lstat(join(root, path), { bigint: false });
    if (stats.isSocket()) continue;
    const mode = goModeOf(stats);
    yield {
      path,
      mode,
      uid: stats.uid,
      gid: stats.gid,
      size: stats.isFile() ? stats.size : 0,
      modTime: BigInt(Math.round(stats.mtimeMs * 1000)) * 1000n,
      ...(stats.isSymbolicLink() ? { linkname: await readlink(join(root, path)) } : {}),
      ...(stats.isBlockDevice() || stats.isCharacterDevice()
        ? { devMajor: (stats.rdev >> 8) & 0xfff, devMinor: (stats.rdev & 0xff) | ((stats.rdev >>> 12) & 0xfff00) }
        : {}),
    };
    if (stats.isDirectory()) yield* walk(root, path);
  }
}
