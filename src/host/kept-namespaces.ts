import { constants, openSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { isErrno } from '../lib/errors.ts';
import type { Undo } from '../lib/undo.ts';
import type { KeptNamespaces, Mounts } from './host.ts';
import { unmountFile } from './mount-found.ts';
import { AT_FDCWD, CLONE_NEWIPC, CLONE_NEWUTS, O_CLOEXEC } from './syscall/numbers.ts';
import { Program, type Step } from './syscall/program.ts';

const MS_BIND = 4096;
/** What statfs(2) says of a namespace's file. */
const NSFS_MAGIC = 0x6e_73_66_73;

let home: { readonly ipc: number; readonly uts: number } | undefined;

/** Descriptors of the namespaces that this process lives in; held for good. */
function homeNamespaces(): { readonly ipc: number; readonly uts: number } {
  home ??= { ipc: openSync('/proc/self/ns/ipc', constants.O_RDONLY), uts: openSync('/proc/self/ns/uts', constants.O_RDONLY) };
  return home;
}

/** IPC and UTS namespaces that are kept by a bind mount each, with no process in them. */
export class LinuxKeptNamespaces implements KeptNamespaces {
  readonly #mounts: Mounts;

  constructor(mounts: Mounts) {
    this.#mounts = mounts;
  }

  async create(paths: { readonly ipc?: string; readonly uts?: string }, hostname: string): Promise<Undo> {
    const { ipc, uts } = homeNamespaces();
    const program = new Program();
    const kinds = [
      ...(paths.ipc === undefined ? [] : [{ flag: CLONE_NEWIPC, name: 'ipc', path: paths.ipc, home: ipc }]),
      ...(paths.uts === undefined ? [] : [{ flag: CLONE_NEWUTS, name: 'uts', path: paths.uts, home: uts }]),
    ];
    const files = kinds.map(({ path }) => {
      const file = program.call('openat', AT_FDCWD, path, constants.O_RDONLY | constants.O_CREAT | constants.O_EXCL | O_CLOEXEC, 0o444);
      program.call('close', file);
      return { path, file };
    });
    program.call(
      'unshare',
      kinds.reduce((flags, { flag }) => flags | flag, 0),
    );
    for (const { name, path } of kinds) {
      program.call('mount', program.string(`/proc/thread-self/ns/${name}`), path, program.string('none'), MS_BIND, 0);
    }
    if (paths.uts !== undefined) {
      const name = Buffer.from(hostname);
      program.call('sethostname', program.bytes(name), name.length);
    }
    // The thread goes home whatever happened before.
    const back = kinds.map(({ home: namespace, flag }) => program.always('setns', namespace, flag));
    try {
      await program.run();
    } catch (error) {
      for (const { path, file } of files) if (!file.failed) await this.remove(path);
      throw error;
    } finally {
      stopWhenAstray(back);
    }
    let done: Promise<void> | undefined;
    return () => (done ??= this.#removeAll(kinds.map(({ path }) => path)));
  }

  async isKept(path: string): Promise<boolean> {
    try {
      return (await statfs(path)).type === NSFS_MAGIC;
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    await unmountFile(this.#mounts, path);
  }

  async #removeAll(paths: readonly string[]): Promise<void> {
    for (const path of paths) await this.remove(path);
  }
}

/** A thread that can't come home would do others' work in the wrong place, so that is the end of the process. */
function stopWhenAstray(back: readonly Step[]): void {
  const astray = back.find((step) => step.failed);
  if (astray === undefined) return;
  process.stderr.write(`longshore: a thread can't return to its namespaces (${astray.result}); stopping\n`);
  process.abort();
}
