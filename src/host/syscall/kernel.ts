import type koffiModule from 'koffi';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { LongshoreError } from '../../lib/errors.ts';
import { machineCode } from './machine-code.ts';

type Koffi = typeof koffiModule;
type RunSteps = {
  (steps: Buffer, count: number): number;
  async(steps: Buffer, count: number, done: (error: Error | null, failed: number) => void): void;
};

/** How to make lists of system calls; see machine-code.ts for their layout. */
export interface Kernel {
  readonly koffi: Koffi;
  /** The address of a buffer's first byte; the caller keeps the buffer reachable. */
  address(buffer: Buffer): bigint;
  /** @returns whether a step failed */
  runSync(steps: Buffer, count: number): boolean;
  /** The same on a thread of libuv's pool. */
  run(steps: Buffer, count: number): Promise<boolean>;
}

const PAGE = 4096;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE_ANONYMOUS = 0x22;

let loaded: Kernel | undefined;

/** Loads koffi and the machine code, once per JavaScript thread (8 ms, 10 MiB). @throws `unavailable` off Linux or on an unknown processor */
export function kernel(): Kernel {
  loaded ??= load();
  return loaded;
}

function load(): Kernel {
  const code = process.platform === 'linux' ? machineCode(process.arch) : undefined;
  if (!code) {
    throw new LongshoreError('unavailable', `containers need Linux on x86-64 or arm64, and this is ${process.platform} on ${process.arch}`, {
      remedy: 'Run longshore on a Linux machine.',
    });
  }
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new LongshoreError('unavailable', `the foreign function library koffi can't be loaded: ${String(cause)}`, {
      remedy: 'Run npm ci in the folder of longshore.',
      cause,
    });
  }
  const libc = koffi.load('libc.so.6');
  const mmap = libc.func('void *mmap(void *, size_t, int, int, int, long)') as unknown as (...args: unknown[]) => unknown;
  const mprotect = libc.func('int mprotect(void *, size_t, int)') as unknown as (...args: unknown[]) => number;
  const memcpy = libc.func('void *memcpy(void *, void *, size_t)') as unknown as (...args: unknown[]) => unknown;
  const page = mmap(null, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  memcpy(page, code, code.length);
  if (mprotect(page, PAGE, PROT_READ | PROT_EXEC) !== 0) {
    throw new LongshoreError('unavailable', 'this system forbids executable memory, which the system call layer needs', {
      remedy: 'Allow execmem for longshore in the security policy.',
    });
  }
  const run = koffi.decode(page, koffi.proto('long longshore_run_steps(void *steps, long count)')) as RunSteps;
  return {
    koffi,
    address: (buffer) => koffi.address(buffer),
    runSync: (steps, count) => run(steps, count) !== 0,
    run: (steps, count) =>
      new Promise((resolve, reject) => {
        run.async(steps, count, (error, failed) => (error ? reject(error) : resolve(failed !== 0)));
      }),
  };
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** `ENOENT` for 2. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}
