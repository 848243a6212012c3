import { access, constants, readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { openHost } from '../host/open.ts';
import { isErrno, messageOf } from '../lib/errors.ts';

/** One thing that was looked at. */
export interface Finding {
  readonly name: string;
  readonly ok: boolean;
  /** False: Longshore works without it, with less. */
  readonly required: boolean;
  readonly detail: string;
  readonly remedy?: string;
}

/** Programs and the Debian packages that bring them. */
const PROGRAMS = [
  { program: 'runc', package: 'runc', required: true, why: 'starts containers' },
  { program: 'conmon', package: 'conmon', required: true, why: 'supervises containers, also while the daemon is away' },
  { program: 'nft', package: 'nftables', required: true, why: 'publishes ports and balances Services' },
  { program: 'busybox', package: 'busybox-static', required: false, why: 'makes base images where no registry can be reached' },
  { program: 'debootstrap', package: 'debootstrap', required: false, why: 'makes Debian base images where no registry can be reached' },
  { program: 'docker', package: 'docker-cli or docker.io', required: false, why: 'the client' },
  { program: 'kubectl', package: 'kubernetes-client', required: false, why: 'the client' },
] as const;

const LEAST_DISK_BYTES = 2 * 2 ** 30;
/** openat2 came with 5.6; the file system calls that we use, with 5.12. */
const LEAST_KERNEL: readonly [number, number] = [5, 12];

/** Looks at the machine; changes nothing. */
export async function probeMachine(): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const root = process.getuid?.() === 0;
  findings.push({ name: 'root', ok: root, required: true, detail: root ? 'running as root' : 'not root: namespaces, mounts and networks need it', remedy: 'Run with sudo.' });
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const kernel = major > LEAST_KERNEL[0] || (major === LEAST_KERNEL[0] && minor >= LEAST_KERNEL[1]);
  findings.push({ name: 'kernel', ok: kernel, required: true, detail: `Linux ${release()}`, remedy: `Use Linux ${LEAST_KERNEL.join('.')} or later.` });
  const [node = 0] = process.versions.node.split('.').map(Number);
  findings.push({ name: 'node', ok: node >= 24, required: true, detail: `Node ${process.versions.node}`, remedy: 'Use Node 24 or later; the launcher brings it.' });
  for (const { program, package: name, required, why } of PROGRAMS) {
    const path = await findProgram(program);
    findings.push({ name: program, ok: path !== undefined, required, detail: path ?? `not found (${why})`, remedy: `Debian: apt-get install ${name}` });
  }
  const filesystems = await readText('/proc/filesystems');
  findings.push({ name: 'overlay', ok: filesystems.includes('\toverlay'), required: true, detail: filesystems.includes('\toverlay') ? 'overlay file system' : 'the kernel has no overlay file system', remedy: 'Load it: modprobe overlay' });
  findings.push(await control());
  const disk = await statfs('/var/lib');
  const free = disk.bavail * disk.bsize;
  findings.push({ name: 'disk', ok: free > LEAST_DISK_BYTES, required: false, detail: `${(free / 2 ** 30).toFixed(1)} GiB free in /var/lib`, remedy: 'Make room: images and volumes lie there.' });
  const forwarding = (await readText('/proc/sys/net/ipv4/ip_forward')).trim() === '1';
  findings.push({ name: 'ip_forward', ok: true, required: false, detail: forwarding ? 'on' : 'off; Longshore turns it on while it runs' });
  return findings;
}

async function control(): Promise<Finding> {
  try {
    const { cgroups } = await openHost();
    return { name: 'cgroups', ok: true, required: true, detail: `version ${cgroups.version}` };
  } catch (error) {
    return { name: 'cgroups', ok: false, required: true, detail: messageOf(error), remedy: 'Mount cgroup2 at /sys/fs/cgroup.' };
  }
}

async function findProgram(program: string): Promise<string | undefined> {
  for (const folder of [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
    const path = join(folder, program);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      continue; // not in this folder
    }
  }
  return undefined;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
