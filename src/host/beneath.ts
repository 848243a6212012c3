/**
 * # Paths inside of a folder that somebody else controls
 *
 * A container's or an image's tree may hold symlinks that lead out of it, and may change
 * under our hands. So nobody joins strings: the kernel resolves the path
 * beneath the root (openat2, Linux 5.6), and what follows works on descriptors.
 *
 * How to use it, say to write `etc/hosts` into a container's root:
 *
 * ```ts
 * const fd = await openInRoot(rootfs, 'etc/hosts', constants.O_WRONLY | constants.O_CREAT, { mode: 0o644 });
 * try { … fs.write(fd, …) } finally { closeSync(fd); }
 * ```
 *
 * and to work on a name rather than on a file (mknod, link, rename, unlink, lchown, xattr):
 *
 * ```ts
 * const parent = await parentInRoot(rootfs, 'dev/null');   // { fd, name }
 * mknodAt(parent.fd, parent.name, S_IFCHR | 0o666, 1, 3);  // fs.ts
 * closeSync(parent.fd);
 * ```
 *
 * `follow: 'root'` (default) resolves like a process chrooted there: an absolute
 * symlink, or `..` at the top, stays inside. `follow: 'beneath'` refuses what would lead out (EXDEV),
 * as an archive's entries should be. `follow: 'none'` refuses any symlink on the way (ELOOP).
 * The functions ending in Sync are for worker threads.
 */
import { closeSync, constants } from 'node:fs';
import { Program, SyscallError } from './syscall/program.ts';
import type { Step } from './syscall/program.ts';
import { AT_FDCWD, O_CLOEXEC, O_PATH } from './syscall/numbers.ts';

export { O_PATH } from './syscall/numbers.ts';

const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;

/** openat2 answers EAGAIN when a rename or mount anywhere on the machine raced with a `..`; a few tries get through unless somebody attacks. */
const TRIES = 64;
/** So many tries come at once; each of the others after a millisecond, since mounts come and go in bursts. */
const AT_ONCE = 16;
const PAUSE_MS = 1;

export interface OpenInRootOptions {
  /** For a file that is created; 0o666 when left out, without umask's part. */
  readonly mode?: number;
  readonly follow?: 'root' | 'beneath' | 'none';
}

/**
 * Opens `path` with the flags of open(2) (node:fs constants, and O_PATH) beneath `root`, a folder's path or
 * descriptor. The caller closes the descriptor.
 * @throws SyscallError, with code ENOENT, EXDEV, ELOOP, EAGAIN, …
 */
export async function openInRoot(root: string | number, path: string, flags: number, options: OpenInRootOptions = {}): Promise<number> {
  for (let left = TRIES; ; left--) {
    const { program, result } = openProgram(root, path, flags, options);
    try {
      await program.run();
      return result.result;
    } catch (error) {
      if (left === 0 || !isAgain(error)) throw error;
      if (left <= TRIES - AT_ONCE) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

/** As openInRoot, on this thread. */
export function openInRootSync(root: string | number, path: string, flags: number, options: OpenInRootOptions = {}): number {
  for (let left = TRIES; ; left--) {
    const { program, result } = openProgram(root, path, flags, options);
    try {
      program.runSync();
      return result.result;
    } catch (error) {
      if (left === 0 || !isAgain(error)) throw error;
      if (left <= TRIES - AT_ONCE) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}

/**
 * Descriptor (O_PATH) of the folder that holds the path's last name, and that name, which may not exist yet.
 * @throws SyscallError EINVAL for the root itself or a last name of `..`
 */
export async function parentInRoot(
  root: string | number,
  path: string,
  options: OpenInRootOptions = {},
): Promise<{ readonly fd: number; readonly name: string }> {
  const { parent, name } = splitName(path);
  return { fd: await openInRoot(root, parent, O_PATH | constants.O_DIRECTORY, options), name };
}

/** As parentInRoot, on this thread. */
export function parentInRootSync(root: string | number, path: string, options: OpenInRootOptions = {}): { readonly fd: number; readonly name: string } {
  const { parent, name } = splitName(path);
  return { fd: openInRootSync(root, parent, O_PATH | constants.O_DIRECTORY, options), name };
}

/** Makes a folder and those above it beneath `root`, and returns its descriptor (O_PATH). @throws SyscallError ENOTDIR where something else is in the way */
export async function makeFoldersInRoot(root: string | number, path: string, mode = 0o755, options: OpenInRootOptions = {}): Promise<number> {
  let at = await openInRoot(root, '.', O_PATH | constants.O_DIRECTORY);
  const done: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    done.push(name);
    const program = new Program();
    const made = name === '..' ? undefined : program.attempt('mkdirat', at, name, mode);
    try {
      if (made) await program.run();
      if (made?.failed && made.result !== -EEXIST) throw new SyscallError('mkdirat', -made.result, done.join('/'));
      // From the root again, so that symlinks and `..` on the way mean what they mean inside.
      const next = await openInRoot(root, done.join('/'), O_PATH | constants.O_DIRECTORY, options);
      closeSync(at);
      at = next;
    } catch (error) {
      closeSync(at);
      throw error;
    }
  }
  return at;
}

const EEXIST = 17;

function openProgram(root: string | number, path: string, flags: number, options: OpenInRootOptions): { program: Program; result: Step } {
  const program = new Program();
  const resolve = { root: RESOLVE_IN_ROOT, beneath: RESOLVE_BENEATH, none: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS }[options.follow ?? 'root'];
  const mode = flags & constants.O_CREAT ? (options.mode ?? 0o666) : 0;
  const how = program.allocate(24, (into) => {
    into.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
    into.writeBigUInt64LE(BigInt(mode), 8);
    into.writeBigUInt64LE(BigInt(resolve | RESOLVE_NO_MAGICLINKS), 16);
  });
  // RESOLVE_BENEATH takes no absolute path; to everybody here a leading slash means the root.
  const inside = path.replace(/^\/+/, '') || '.';
  if (typeof root === 'number') return { program, result: program.call('openat2', root, inside, how, 24) };
  const top = program.call('openat', AT_FDCWD, root, O_PATH | O_CLOEXEC | constants.O_DIRECTORY, 0);
  const result = program.call('openat2', top, inside, how, 24);
  program.always('close', top);
  return { program, result };
}

function splitName(path: string): { parent: string; name: string } {
  const trimmed = path.replace(/\/+$/, '');
  const slash = trimmed.lastIndexOf('/');
  const name = trimmed.slice(slash + 1);
  if (name === '' || name === '.' || name === '..') throw new SyscallError('openat2', 22, path);
  return { parent: trimmed.slice(0, Math.max(slash, 0)) || '.', name };
}

function isAgain(error: unknown): boolean {
  return error instanceof SyscallError && error.code === 'EAGAIN';
}
