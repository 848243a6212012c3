import { constants, openSync } from 'node:fs';
import { AT_FDCWD, CLONE_NEWNET, O_CLOEXEC } from './syscall/numbers.ts';
import type { Program, Step } from './syscall/program.ts';

let home: number | undefined;

/** A descriptor of the network namespace that this process lives in; held for good. */
export function homeNamespace(): number {
  home ??= openSync('/proc/self/ns/net', constants.O_RDONLY);
  return home;
}

/**
 * Adds steps that run inside of a network namespace to a program. The thread of the pool changes its namespace, and changes back
 * before it leaves the program, whatever happens in between; so no other work ever sees it elsewhere. Run it with `runInside`.
 */
export function inside(program: Program, enter: (program: Program) => void, body: (program: Program) => void): Step {
  enter(program);
  body(program);
  return program.always('setns', homeNamespace(), CLONE_NEWNET);
}

/** Enters the namespace at `path`. */
export function enterPath(path: string): (program: Program) => void {
  return (program) => {
    const fd = program.call('openat', AT_FDCWD, path, constants.O_RDONLY | O_CLOEXEC, 0);
    program.call('setns', fd, CLONE_NEWNET);
    program.call('close', fd);
  };
}

/** Runs a program made with `inside`. A thread that can't come home would do others' work in the wrong place, so that is the end of the process. */
export async function runInside(program: Program, back: Step): Promise<void> {
  try {
    await program.run();
  } finally {
    if (back.failed) {
      process.stderr.write(`longshore: a thread can't return to its network namespace (${back.result}); stopping\n`);
      process.abort();
    }
  }
}
