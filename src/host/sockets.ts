/** Steps that make sockets, for programs that run in a namespace or need what node:net doesn't offer. */
import { parseAddress } from './address.ts';
import { O_CLOEXEC } from './syscall/numbers.ts';
import { Program } from './syscall/program.ts';
import type { Memory, Step } from './syscall/program.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const POLLOUT = 4;

function socketName(program: Program, bytes: Buffer, port: number): Memory {
  const v6 = bytes.length === 16;
  return program.allocate(v6 ? 28 : 16, (into) => {
    into.writeUInt16LE(v6 ? AF_INET6 : AF_INET, 0);
    into.writeUInt16BE(port, 2);
    into.set(bytes, v6 ? 8 : 4);
  });
}

/**
 * A bound socket; a TCP one listens. The smallest receive buffer for UDP, since nobody is to read from it.
 * Whoever runs the program closes `result` when a later step failed.
 */
export function boundSocket(program: Program, protocol: 'tcp' | 'udp', address: string, port: number, backlog = 0): Step {
  const bytes = parseAddress(address);
  const v6 = bytes.length === 16;
  const socket = program.call('socket', v6 ? AF_INET6 : AF_INET, (protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM) | O_CLOEXEC | SOCK_NONBLOCK, 0);
  const one = program.allocate(4, (into) => into.writeInt32LE(1));
  // Connections of an earlier listener that linger in TIME_WAIT are no conflict.
  if (protocol === 'tcp') program.call('setsockopt', socket, SOL_SOCKET, SO_REUSEADDR, one, 4);
  else program.call('setsockopt', socket, SOL_SOCKET, SO_RCVBUF, one, 4);
  if (v6) program.call('setsockopt', socket, IPPROTO_IPV6, IPV6_V6ONLY, one, 4);
  const name = socketName(program, bytes, port);
  program.call('bind', socket, name, name.length);
  if (protocol === 'tcp') program.call('listen', socket, backlog);
  return socket;
}

/** A TCP connection under way (`connect` fails with EINPROGRESS), or done. */
export function connectSocket(program: Program, address: string, port: number): { readonly socket: Step; readonly connect: Step } {
  const bytes = parseAddress(address);
  const socket = program.call('socket', bytes.length === 16 ? AF_INET6 : AF_INET, SOCK_STREAM | O_CLOEXEC | SOCK_NONBLOCK, 0);
  const name = socketName(program, bytes, port);
  return { socket, connect: program.attempt('connect', socket, name, name.length) };
}

/** Waits, on a thread of the pool, until something can be written, or the connection has failed. */
export async function waitWritable(fd: number, timeoutMs: number): Promise<boolean> {
  const program = new Program();
  const set = program.allocate(8, (into) => {
    into.writeInt32LE(fd, 0);
    into.writeInt16LE(POLLOUT, 4);
  });
  const timeout = program.allocate(16, (into) => {
    into.writeBigInt64LE(BigInt(Math.floor(timeoutMs / 1000)), 0);
    into.writeBigInt64LE(BigInt((timeoutMs % 1000) * 1_000_000), 8);
  });
  const ready = program.call('ppoll', set, 1, timeout, 0, 8);
  await program.run();
  return ready.result > 0;
}

/** The pending error of a socket (SO_ERROR), 0 for none. */
export function socketError(fd: number): number {
  const program = new Program();
  const value = program.allocate(4);
  const length = program.allocate(4, (into) => into.writeInt32LE(4));
  program.call('getsockopt', fd, SOL_SOCKET, SO_ERROR, value, length);
  program.runSync();
  return program.read(value).readInt32LE(0);
}
