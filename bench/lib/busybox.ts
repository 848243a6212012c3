import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, docker } from './command.ts';

const APPLETS = ['sh', 'true', 'sleep', 'dd', 'cat', 'httpd', 'mkdir', 'echo'];

/** The machine's static busybox as the image `busybox`, as it is on both sides. */
export async function importBusybox(side: { readonly env: Readonly<Record<string, string>> }): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'longshore-busybox-'));
  try {
    for (const name of ['bin', 'tmp', 'etc']) await mkdir(join(folder, 'root', name), { recursive: true });
    await copyFile('/bin/busybox', join(folder, 'root/bin/busybox'));
    for (const applet of APPLETS) await symlink('busybox', join(folder, 'root/bin', applet));
    await command('tar', ['-C', join(folder, 'root'), '-cf', join(folder, 'root.tar'), '.']);
    await docker(side, ['import', '-c', 'CMD ["sh"]', join(folder, 'root.tar'), 'busybox:latest']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
