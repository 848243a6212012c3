import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { inside, enterPath, runInside } from './netns.ts';
import { O_CLOEXEC } from './syscall/numbers.ts';
import { Program } from './syscall/program.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const LOOPBACK = [127, 0, 0, 1];

/**
 * A TCP connection to 127.0.0.1 inside of the network namespace at `path`. The socket is made there and
 * used from here: a socket stays in the namespace in which it was opened.
 * @throws SyscallError `ECONNREFUSED` when nobody listens
 */
export async function connectInside(path: string, port: number): Promise<Socket> {
  const program = new Program();
  const state: { socket?: { readonly result: number } } = {};
  const back = inside(program, enterPath(path), () => {
    const socket = program.call('socket', AF_INET, SOCK_STREAM | O_CLOEXEC, 0);
    state.socket = socket;
    program.call('connect', socket, program.allocate(16, (into) => {
      into.writeUInt16LE(AF_INET, 0);
      into.writeUInt16BE(port, 2);
      into.set(LOOPBACK, 4);
    }), 16);
  });
  try {
    await runInside(program, back);
  } catch (error) {
    if (state.socket && state.socket.result > 0) closeSync(state.socket.result);
    throw error;
  }
  return new Socket({ fd: state.socket!.result, readable: true, writable: true });
}
