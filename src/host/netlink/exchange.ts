import { closeSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { errnoName } from '../syscall/kernel.ts';
import { O_CLOEXEC } from '../syscall/numbers.ts';
import { Program } from '../syscall/program.ts';
import type { Memory, Step } from '../syscall/program.ts';
import { attributes, message, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, replies, textOf } from './message.ts';
import type { Reply } from './message.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;
const NLMSGERR_ATTR_MSG = 1;

const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const MMSGHDR_BYTES = 64;
const ACK_BYTES = 512;
const DUMP_BYTES = 32_768;
const DUMP_SLOTS = 8;

/** What the kernel said to a netlink request. */
export class NetlinkError extends Error {
  /** As in `EEXIST`. */
  readonly code: string;
  readonly errno: number;
  /** Position of the refused message in its batch. */
  readonly index: number;

  constructor(what: string, errno: number, index: number, detail?: string) {
    const code = errnoName(errno);
    super(`${what}: ${detail ?? getSystemErrorMessage(-errno) ?? 'error'} (${code})`);
    this.name = 'NetlinkError';
    this.code = code;
    this.errno = errno;
    this.index = index;
  }
}

/** A socket that steps of one program share. */
export interface NetlinkSocket {
  readonly socket: Step;
}

/** Opens a socket in the namespace in which the program is at that point. */
export function openNetlink(program: Program, protocol = NETLINK_ROUTE): NetlinkSocket {
  const socket = program.call('socket', AF_NETLINK, SOCK_RAW | O_CLOEXEC, protocol);
  const one = program.allocate(4, (into) => into.writeInt32LE(1));
  // Shorter acknowledgements, and the kernel's own words about a refusal.
  program.attempt('setsockopt', socket, SOL_NETLINK, NETLINK_CAP_ACK, one, 4);
  program.attempt('setsockopt', socket, SOL_NETLINK, NETLINK_EXT_ACK, one, 4);
  return { socket };
}

/** A message of a batch, what it is about (for the error), and the refusals that are as good as success. */
export interface Request {
  readonly what: string;
  readonly message: Buffer;
  readonly accept?: readonly string[];
  /** Another message comes before the acknowledgement. */
  readonly answered?: boolean;
}

/**
 * Sends requests (with NLM_F_ACK) in one system call and takes the answers in another: the kernel
 * has answered all of them when the sending call returns.
 * @returns a check to call after the run, which throws the NetlinkError of the first refusal
 */
export function exchange(program: Program, { socket }: NetlinkSocket, requests: readonly Request[]): () => void {
  requests.forEach((request, index) => request.message.writeUInt32LE(index + 1, 8));
  const data = program.bytes(Buffer.concat(requests.map((request) => request.message)));
  const sent = program.call('sendto', socket, data, data.length, 0, 0, 0);
  const inbox = receive(program, socket, requests.length + requests.filter((request) => request.answered).length, ACK_BYTES);
  return () => {
    if (sent.failed) return; // the program's own error says it
    const answered = new Map<number, Reply>();
    for (const reply of inbox.replies()) if (reply.type === NLMSG_ERROR) answered.set(reply.sequence, reply);
    requests.forEach((request, index) => {
      const reply = answered.get(index + 1);
      if (!reply) throw new NetlinkError(request.what, 5, index, 'the kernel gave no answer');
      const errno = -reply.payload.readInt32LE(0);
      if (errno !== 0 && !request.accept?.includes(errnoName(errno))) {
        throw new NetlinkError(request.what, errno, index, explanation(reply));
      }
    });
  };
}

/** Reads a whole table. `enter` wraps the program, as `inside` of netns.ts does. */
export async function dump(
  type: number,
  header: Uint8Array,
  run: (build: (program: Program) => void) => Promise<void>,
  protocol = NETLINK_ROUTE,
): Promise<Reply[]> {
  const request = message(type, NLM_F_DUMP, header);
  request.writeUInt32LE(1, 8);
  const found: Reply[] = [];
  let socket: Step | undefined;
  let inbox: Inbox | undefined;
  const take = (): boolean => {
    for (const reply of inbox!.replies()) {
      if (reply.type === NLMSG_DONE) return true;
      if (reply.type === NLMSG_ERROR) throw new NetlinkError('netlink dump', -reply.payload.readInt32LE(0), 0, explanation(reply));
      found.push({ ...reply, payload: Buffer.from(reply.payload) });
    }
    return false;
  };
  try {
    await run((program) => {
      socket = openNetlink(program, protocol).socket;
      const data = program.bytes(request);
      program.call('sendto', socket, data, data.length, 0, 0, 0);
      inbox = receive(program, socket, DUMP_SLOTS, DUMP_BYTES);
    });
    while (!take()) {
      const more = new Program();
      inbox = receive(more, socket!.result, DUMP_SLOTS, DUMP_BYTES);
      await more.run();
    }
    return found;
  } finally {
    if (socket && socket.result > 0) closeSync(socket.result);
  }
}

interface Inbox {
  replies(): Generator<Reply>;
}

/** recvmmsg(2) into `slots` buffers. */
function receive(program: Program, socket: Step | number, slots: number, bytes: number): Inbox {
  const rooms: Memory[] = Array.from({ length: slots }, () => program.allocate(bytes));
  const vectors = program.allocate(slots * 16, (into, addressOf) => {
    rooms.forEach((room, n) => {
      into.writeBigUInt64LE(addressOf(room), n * 16);
      into.writeBigUInt64LE(BigInt(bytes), n * 16 + 8);
    });
  });
  const headers = program.allocate(slots * MMSGHDR_BYTES, (into, addressOf) => {
    for (let n = 0; n < slots; n++) {
      into.writeBigUInt64LE(addressOf(vectors) + BigInt(n * 16), n * MMSGHDR_BYTES + 16); // msg_iov
      into.writeBigUInt64LE(1n, n * MMSGHDR_BYTES + 24); // msg_iovlen
    }
  });
  const received = program.call('recvmmsg', socket, headers, slots, MSG_DONTWAIT, 0);
  return {
    *replies() {
      for (let n = 0; n < received.result; n++) {
        const length = program.read(headers).readUInt32LE(n * MMSGHDR_BYTES + 56);
        yield* replies(program.read(rooms[n]!).subarray(0, length));
      }
    },
  };
}

function explanation(reply: Reply): string | undefined {
  if ((reply.flags & NLM_F_ACK_TLVS) === 0) return undefined;
  // struct nlmsgerr: the error, then the header of the request, and the rest of it unless capped.
  const start = reply.flags & NLM_F_CAPPED ? 20 : 4 + ((reply.payload.readUInt32LE(4) + 3) & ~3);
  return textOf(attributes(reply.payload.subarray(start)).get(NLMSGERR_ATTR_MSG));
}
