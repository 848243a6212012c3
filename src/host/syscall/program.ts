import { getSystemErrorMessage } from 'node:util';
import { Gate } from './gate.ts';
import { errnoName, kernel } from './kernel.ts';
import { FLAG_ALWAYS, FLAG_ATTEMPT, RESULT_OFFSET, STEP_BYTES } from './machine-code.ts';
import { SYSCALL_NUMBERS } from './numbers.ts';
import type { SyscallName } from './numbers.ts';

/** A call of a program. Its result is there after the run: the system call's, or a negated errno. */
export class Step {
  readonly name: SyscallName;
  readonly flags: number;
  readonly args: readonly Argument[];
  readonly index: number;
  /** What is concerned, for the error message: the arguments that were given as strings. */
  readonly about: string | undefined;
  result = 0;

  constructor(name: SyscallName, flags: number, args: readonly Argument[], index: number, about: string | undefined) {
    this.name = name;
    this.flags = flags;
    this.args = args;
    this.index = index;
    this.about = about;
  }

  get failed(): boolean {
    return this.result < 0;
  }
}

/** A piece of the program's memory. */
export class Memory {
  readonly offset: number;
  readonly length: number;
  readonly fill: ((into: Buffer, addressOf: (memory: Memory) => bigint) => void) | undefined;

  constructor(offset: number, length: number, fill: Memory['fill']) {
    this.offset = offset;
    this.length = length;
    this.fill = fill;
  }
}

/** A number, a pointer to memory, a string (passed as a pointer to it), or the result of an earlier step. */
export type Argument = number | bigint | string | Memory | Step;

/** A failed system call, shaped as Node's own errors are (`code`, `errno`, `syscall`, `path`). */
export class SyscallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string | undefined;

  constructor(syscall: string, errno: number, path?: string, detail?: string) {
    const code = errnoName(errno);
    super(`${code}: ${getSystemErrorMessage(-errno) ?? 'unknown error'}, ${syscall}${path === undefined ? '' : ` '${path}'`}${detail ? ` (${detail})` : ''}`);
    this.name = 'SyscallError';
    this.code = code;
    this.errno = -errno;
    this.syscall = syscall;
    this.path = path;
  }
}

/** At most three of libuv's four threads, so that file reads go on while the kernel holds us up. */
const gate = new Gate(3, 100_000);

/**
 * A list of system calls, made in one go on one thread: built by `call`, `attempt` (may
 * fail) and `always` (also after a failure), then run once. Results of earlier
 * steps can be arguments of later ones.
 */
export class Program {
  #steps: Step[] = [];
  #memory: Memory[] = [];
  #size = 0;
  #buffer: Buffer | undefined;

  call(name: SyscallName, ...args: Argument[]): Step {
    return this.#add(name, 0, args);
  }

  /** The step may fail; the caller looks at its result. */
  attempt(name: SyscallName, ...args: Argument[]): Step {
    return this.#add(name, FLAG_ATTEMPT, args);
  }

  /** Made even after a failure: what puts things back. */
  always(name: SyscallName, ...args: Argument[]): Step {
    return this.#add(name, FLAG_ALWAYS | FLAG_ATTEMPT, args);
  }

  /** A zero-terminated string. */
  string(text: string): Memory {
    if (text.includes('\0')) throw new SyscallError('path', 22, JSON.stringify(text));
    const length = Buffer.byteLength(text) + 1;
    return this.allocate(length, (into) => {
      into.write(text, 0);
      into[length - 1] = 0;
    });
  }

  bytes(data: Uint8Array): Memory {
    return this.allocate(data.length, (into) => into.set(data));
  }

  /** Memory, aligned to 8 bytes, zeroed or filled just before the run, when addresses are known. */
  allocate(length: number, fill?: Memory['fill']): Memory {
    const memory = new Memory(this.#size, length, fill);
    this.#size += (length + 7) & ~7;
    this.#memory.push(memory);
    return memory;
  }

  /** What is in memory after the run; a view, no copy. */
  read(memory: Memory): Buffer {
    if (!this.#buffer) throw new Error('the program has not run');
    const start = this.#steps.length * STEP_BYTES + memory.offset;
    return this.#buffer.subarray(start, start + memory.length);
  }

  /** Runs on a thread of the pool. @throws SyscallError of the first step that failed */
  async run(): Promise<void> {
    const buffer = this.#build();
    await gate.enter(() => kernel().run(buffer, this.#steps.length));
    this.#finish();
  }

  /** Runs on this thread: for calls that can't block. @throws SyscallError of the first step that failed */
  runSync(): void {
    kernel().runSync(this.#build(), this.#steps.length);
    this.#finish();
  }

  #add(name: SyscallName, flags: number, args: readonly Argument[]): Step {
    const about = args.filter((arg) => typeof arg === 'string').join(' ') || undefined;
    const step = new Step(name, flags, args.map((arg) => (typeof arg === 'string' ? this.string(arg) : arg)), this.#steps.length, about);
    this.#steps.push(step);
    return step;
  }

  #build(): Buffer {
    if (this.#buffer) throw new Error('a program runs once');
    const dataStart = this.#steps.length * STEP_BYTES;
    // A slow buffer has memory of its own, which never moves.
    const buffer = Buffer.allocUnsafeSlow(dataStart + this.#size).fill(0);
    this.#buffer = buffer;
    const base = kernel().address(buffer);
    const addressOf = (memory: Memory): bigint => base + BigInt(dataStart + memory.offset);
    for (const memory of this.#memory) memory.fill?.(this.read(memory), addressOf);
    for (const [index, step] of this.#steps.entries()) {
      const at = index * STEP_BYTES;
      let mask = 0;
      for (const [n, arg] of step.args.entries()) {
        const word = at + 24 + n * 8;
        if (arg instanceof Memory) buffer.writeBigUInt64LE(addressOf(arg), word);
        else if (arg instanceof Step) {
          mask |= 1 << n;
          buffer.writeBigUInt64LE(base + BigInt(arg.index * STEP_BYTES + RESULT_OFFSET), word);
        } else buffer.writeBigInt64LE(BigInt(arg), word);
      }
      buffer.writeInt32LE(SYSCALL_NUMBERS[step.name], at);
      buffer.writeInt32LE(step.flags, at + 8);
      buffer.writeInt32LE(mask, at + 16);
    }
    return buffer;
  }

  #finish(): void {
    let failure: Step | undefined;
    for (const [index, step] of this.#steps.entries()) {
      step.result = Number(this.#buffer!.readBigInt64LE(index * STEP_BYTES + RESULT_OFFSET));
      if (step.failed && failure === undefined && (step.flags & FLAG_ATTEMPT) === 0) failure = step;
    }
    if (failure) throw new SyscallError(failure.name, -failure.result, failure.about);
  }
}
