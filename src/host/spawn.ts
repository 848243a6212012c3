import { spawn } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { isErrno, LongshoreError } from '../lib/errors.ts';
import { Program } from './syscall/program.ts';
import type { DaemonOptions, SpawnOptions, SpawnResult, Spawner } from './host.ts';

const DEFAULT_OUTPUT_BYTES = 16 << 20;

/** Which Debian package brings a program. */
export const PACKAGE_OF: Readonly<Record<string, string>> = {
  runc: 'runc',
  crun: 'crun',
  conmon: 'conmon',
  nft: 'nftables',
  ip: 'iproute2',
  fusermount3: 'fuse3',
  'mount.nfs': 'nfs-common',
  debootstrap: 'debootstrap',
  busybox: 'busybox-static',
};

/** Runs programs, each in a process group of its own. */
export class LinuxSpawner implements Spawner {
  async run(file: string, args: readonly string[], options: SpawnOptions = {}): Promise<SpawnResult> {
    options.signal?.throwIfAborted();
    keepDescriptors();
    const limit = options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES;
    return await new Promise((resolve, reject) => {
      const child = spawn(file, args, {
        detached: true,
        stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
        ...(options.env ? { env: { ...options.env } } : {}),
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      });
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      let size = 0;
      let failure: Error | undefined;
      const stop = (reason: Error): void => {
        if (failure !== undefined) return;
        failure = reason;
        killGroup(child.pid);
        // Somebody who left the group may hold the pipes; the answer does not wait for them.
        child.stdout?.destroy();
        child.stderr?.destroy();
      };
      const take = (into: Buffer[]) => (chunk: Buffer) => {
        size += chunk.length;
        if (size > limit) {
          stop(new LongshoreError('too-large', `${file} wrote more than ${limit} bytes of output and was stopped`, { object: file }));
        } else {
          into.push(chunk);
        }
      };
      child.stdout?.on('data', take(out));
      child.stderr?.on('data', options.onStderr ?? take(err));
      const onAbort = (): void => stop(new LongshoreError('canceled', `${file} was canceled`, { object: file, cause: options.signal?.reason }));
      options.signal?.addEventListener('abort', onAbort, { once: true });
      const timer =
        options.timeoutMs === undefined
          ? undefined
          : setTimeout(
              () =>
                stop(new LongshoreError('timeout', `${file} did not end within ${options.timeoutMs} ms and was stopped`, { object: file })),
              options.timeoutMs,
            );
      const settle = (): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', onAbort);
      };
      child.on('error', (error) => {
        settle();
        reject(spawnError(file, error, options.cwd));
      });
      child.on('close', (code, signal) => {
        settle();
        if (failure !== undefined) reject(failure);
        else resolve({ code, signal, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') });
      });
      // A program that ends without reading its input breaks the pipe; its exit code says more.
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input);
    });
  }

  /**
   * Starts a process that outlives us: a session of its own, with the given descriptors, and nobody waits for it.
   * @returns its pid
   */
  async spawnDaemon(file: string, args: readonly string[], options: DaemonOptions): Promise<number> {
    keepDescriptors();
    return await new Promise((resolve, reject) => {
      const child = spawn(file, args, {
        detached: true,
        stdio: [...options.stdio] as StdioOptions,
        ...(options.env ? { env: { ...options.env } } : {}),
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      });
      child.on('error', (error) => reject(spawnError(file, error, options.cwd)));
      child.on('spawn', () => {
        child.unref();
        resolve(child.pid!);
      });
    });
  }
}

const CLOSE_RANGE_CLOEXEC = 4;

/**
 * Descriptors that we inherited ourselves, or that a library opened, stay with us: a container must not see them. Those
 * in `stdio` are handed over by the spawn itself.
 */
function keepDescriptors(): void {
  const program = new Program();
  // Linux before 5.11 lacks the call; Node marks all that it opens anyway.
  program.attempt('close_range', 3, 0x7fff_ffff, CLOSE_RANGE_CLOEXEC);
  program.runSync();
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It has ended meanwhile: that is what was wanted.
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}

function spawnError(file: string, error: Error, cwd: string | undefined): Error {
  if (!isErrno(error, 'ENOENT')) {
    return new LongshoreError('internal', `${file} can't be started: ${error.message}`, { object: file, cause: error });
  }
  const name = file.slice(file.lastIndexOf('/') + 1);
  const where = cwd === undefined ? '' : ` (or the folder ${cwd} is missing)`;
  const remedy = name in PACKAGE_OF ? `Install it: apt-get install ${PACKAGE_OF[name]}` : `Install ${name}, or put it on the PATH.`;
  return new LongshoreError('not-found', `the program ${file} is not installed${where}`, { object: file, remedy, cause: error });
}
