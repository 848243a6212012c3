import { LongshoreError } from '../../../lib/errors.ts';
import { FolderReceiver } from './folder-receiver.ts';
import { PACKET, Packet } from './messages.ts';
import type { Session } from './sessions.ts';

export interface ReceiveOptions {
  /** As the client calls the folder: `context`, `dockerfile`. */
  readonly name: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Only these paths, and what symlinks among them lead to. */
  readonly follow?: readonly string[];
  /** A folder of ours, in which files of an earlier transfer may lie. */
  readonly into: string;
  readonly progress?: (bytes: number, files: number) => void;
  readonly signal: AbortSignal;
}

const METHOD = '/moby.filesync.v1.FileSync/DiffCopy';

/**
 * Makes `into` what the client's folder is (fsutil's protocol: the sender tells of all its files, the receiver asks for
 * those that it lacks). What the client says is checked: no name leads out, and nothing is written through a link.
 * @throws `invalid`, `not-found` (no such folder), what the session throws
 */
export async function receiveFiles(session: Session, options: ReceiveOptions): Promise<void> {
  if (!session.supports(METHOD)) throw new LongshoreError('not-found', 'no local sources enabled', { object: options.name });
  const call = session.client.call(METHOD, metadata(options), options.signal);
  const receiver = new FolderReceiver(options.into, options.progress ?? (() => {}), (id) =>
    call.send(Packet.encode({ type: PACKET.REQ, id })),
  );
  let finished = false;
  const finishing = receiver.complete.then(async () => {
    await receiver.finish();
    finished = true;
    await call.send(Packet.encode({ type: PACKET.FIN }));
  });
  // A failure here ends the stream below, which then asks why.
  let failure: unknown;
  finishing.catch((error: unknown) => {
    failure = error;
    call.cancel();
  });
  try {
    for await (const bytes of call.messages) {
      options.signal.throwIfAborted();
      const packet = Packet.decode(bytes);
      if (packet.type === PACKET.ERR) {
        throw new LongshoreError('invalid', `error from sender: ${packet.data.toString('utf8')}`, { object: options.name });
      }
      if (packet.type === PACKET.STAT && packet.stat && packet.stat.path !== '') await receiver.stat(packet.stat);
      else if (packet.type === PACKET.STAT) receiver.allTold();
      else if (packet.type === PACKET.DATA) await receiver.data(packet.id, packet.data);
      else if (packet.type === PACKET.FIN) call.end();
    }
    if (!finished) throw failure ?? new LongshoreError('unavailable', `the transfer of ${options.name} ended early`);
  } catch (error) {
    throw failure ?? error;
  } finally {
    await receiver.abandon();
    call.cancel();
  }
}

function metadata(options: ReceiveOptions): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {};
  for (const [key, values] of [
    ['dir-name', [options.name]],
    ['include-patterns', options.include ?? []],
    ['exclude-patterns', options.exclude ?? []],
    ['followpaths', options.follow ?? []],
  ] as const) {
    if (values.length === 0) continue;
    const encode = values.some((value) => /[^ -~]/.test(value));
    out[key] = encode ? values.map((value) => encodeURIComponent(value)) : [...values];
    if (encode) out[`${key}-encoded`] = '1';
  }
  return out;
}
