import { readFile, writeFile } from 'node:fs/promises';
import { isErrno, LongshoreError } from '../lib/errors.ts';
import type { Undo } from '../lib/undo.ts';
import type { Sysctl } from './host.ts';

/** Kernel parameters through /proc/sys. Names are written with dots, or with slashes where a part holds a dot (`net/ipv4/conf/eth0.1/forwarding`). */
export class LinuxSysctl implements Sysctl {
  async get(name: string): Promise<string> {
    return (await access(name, () => readFile(file(name), 'utf8'))).trim();
  }

  async set(name: string, value: string): Promise<Undo> {
    const old = await this.get(name);
    if (old !== value) await access(name, () => writeFile(file(name), value));
    let done = old === value;
    return async () => {
      if (done) return;
      done = true;
      try {
        await writeFile(file(name), old);
      } catch (error) {
        // The link that the parameter belonged to is gone.
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    };
  }
}

function file(name: string): string {
  const parts = name.includes('/') ? name.split('/') : name.split('.');
  if (parts.some((part) => part === '' || part === '..' || part === '.')) {
    throw new LongshoreError('invalid', `${name} is no kernel parameter`, { object: `sysctl ${name}` });
  }
  return `/proc/sys/${parts.join('/')}`;
}

async function access<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const object = `sysctl ${name}`;
    if (isErrno(error, 'ENOENT')) throw new LongshoreError('not-found', `the kernel has no parameter ${name}`, { object, cause: error });
    if (isErrno(error, 'EINVAL')) {
      throw new LongshoreError('invalid', `the kernel refuses this value for ${name}`, { object, cause: error });
    }
    if (isErrno(error, 'EROFS') || isErrno(error, 'EACCES')) {
      throw new LongshoreError('forbidden', `${name} can't be written here`, {
        object,
        remedy: 'Run longshore as root, with /proc/sys writable.',
        cause: error,
      });
    }
    throw error;
  }
}
