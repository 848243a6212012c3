import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { enterPath, inside, runInside } from './inside.ts';
import { connectSocket, socketError, waitWritable } from './sockets.ts';
import { Program, SyscallError } from './syscall/program.ts';
import type { Step } from './syscall/program.ts';

const EINPROGRESS = 115;
const ETIMEDOUT = 110;
/** Each wait holds a thread of the pool, so it is short. */
const POLL_SLICE_MS = 50;

/**
 * A TCP connection to 127.0.0.1 inside of the network namespace at `path`. The socket is made there and
 * used from here: a socket stays in the namespace in which it was opened.
 * @throws SyscallError `ECONNREFUSED` when nobody listens
 */
export async function connectInside(path: string, port: number): Promise<Socket> {
  return new Socket({ fd: await connectWithin(path, '127.0.0.1', port, 10_000), readable: true, writable: true });
}

/** The descriptor of a TCP connection made in a namespace; see NetworkNamespaces.connect. */
export async function connectWithin(path: string, address: string, port: number, timeoutMs: number): Promise<number> {
  const program = new Program();
  let steps: { readonly socket: Step; readonly connect: Step } | undefined;
  const back = inside(program, enterPath(path), () => {
    steps = connectSocket(program, address, port);
  });
  await runInside(program, back);
  const { socket, connect } = steps!;
  const target = `${address}:${port}`;
  try {
    if (connect.failed && connect.result !== -EINPROGRESS) throw new SyscallError('connect', -connect.result, target);
    if (connect.failed) {
      let left = timeoutMs;
      while (!(await waitWritable(socket.result, Math.min(POLL_SLICE_MS, left)))) {
        left -= POLL_SLICE_MS;
        if (left <= 0) throw new SyscallError('connect', ETIMEDOUT, target);
      }
      const error = socketError(socket.result);
      if (error !== 0) throw new SyscallError('connect', error, target);
    }
    return socket.result;
  } catch (error) {
    closeSync(socket.result);
    throw error;
  }
}
