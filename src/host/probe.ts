import { readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import { openCgroups } from './cgroups/detect.ts';
import { isRootChanged } from './changed-root.ts';
import type { Host } from './host.ts';
import { which } from './which.ts';
import { PACKAGE_OF } from './spawn.ts';
import { kernel } from './syscall/kernel.ts';
import { systemClock } from '../lib/clock.ts';

/** One thing that this machine has or lacks. */
export interface Finding {
  /** As in `overlay`, `runc`, `cgroups`. */
  readonly name: string;
  /** `fail`: containers can't run; `warn`: something is slower, weaker or missing. */
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was found: a version, or what is missing and what it is for. */
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** The oldest kernel that has all calls used here: mount_setattr. */
const OLDEST: readonly [number, number] = [5, 12];
/** A runc below these has published flaws by which a container gets out (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881). */
const SAFE_RUNC = [[1, 2, 8], [1, 3, 3], [1, 4, 0]] as const;
const OPEN_FILES = 16_384;

type Check = (host: Host) => Promise<Finding>;

/** Looks at what containers need, without changing anything; each check by itself, so one failure hides no other. For `longshore doctor`. */
export async function probe(host: Host): Promise<readonly Finding[]> {
  const checks: readonly [string, Check][] = [
    ['root', checkRoot],
    ['kernel', checkKernel],
    ['system-calls', checkSystemCalls],
    ['cgroups', checkCgroups],
    ['overlay', () => checkFileSystem('overlay', 'fail', 'image layers')],
    ['fuse', () => checkFileSystem('fuse', 'warn', 'file systems in user space')],
    ['nftables', checkNft],
    ['forwarding', checkForwarding],
    ['user-namespaces', checkUserNamespaces],
    ['open-files', checkOpenFiles],
    ['runc', checkRunc],
    ['conmon', (h) => checkProgram(h, 'conmon', ['--version'], 'fail', 'keeps containers running while longshore is away')],
    ['nft', (h) => checkProgram(h, 'nft', ['--version'], 'warn', 'shows and repairs the rules by hand')],
    ['ip', (h) => checkProgram(h, 'ip', ['-V'], 'warn', 'shows and repairs links by hand')],
  ];
  return await Promise.all(
    checks.map(async ([name, check]): Promise<Finding> => {
      try {
        return await check(host);
      } catch (error) {
        const remedy = error instanceof LongshoreError ? error.remedy : undefined;
        return { name, status: 'fail', detail: messageOf(error), ...(remedy === undefined ? {} : { remedy }) };
      }
    }),
  );
}

async function checkRoot(host: Host): Promise<Finding> {
  const status = await readFile('/proc/self/status', 'utf8');
  const capabilities = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const needed: readonly [string, bigint][] = [['CAP_SYS_ADMIN', 21n], ['CAP_NET_ADMIN', 12n], ['CAP_MKNOD', 27n], ['CAP_CHOWN', 0n], ['CAP_DAC_OVERRIDE', 1n]];
  const missing = needed.filter(([, bit]) => ((capabilities >> bit) & 1n) === 0n).map(([name]) => name);
  if (process.getuid?.() !== 0) {
    return {
      name: 'root',
      status: 'fail',
      detail: `running as user ${process.getuid?.()}, and containers need root`,
      remedy: 'Run it with sudo.',
    };
  }
  if (missing.length > 0) {
    return {
      name: 'root',
      status: 'fail',
      detail: `root lacks ${missing.join(', ')}`,
      remedy: 'Run it outside of a container, or in a privileged one.',
    };
  }
  if (await isRootChanged(host.spawn)) {
    return {
      name: 'root',
      status: 'fail',
      detail: "a changed root (chroot): commands for a container would run on the machine's own file system",
      remedy: 'Start longshore outside of it.',
    };
  }
  return { name: 'root', status: 'ok', detail: 'root with all capabilities that are needed' };
}

async function checkKernel(): Promise<Finding> {
  const version = release();
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return { name: 'kernel', status: 'ok', detail: version };
  return { name: 'kernel', status: 'fail', detail: `Linux ${version} is older than ${OLDEST.join('.')}`, remedy: 'Install a newer kernel; Debian 12 has one.' };
}

async function checkSystemCalls(): Promise<Finding> {
  kernel();
  return { name: 'system-calls', status: 'ok', detail: `direct, on ${process.arch}` };
}

async function checkCgroups(): Promise<Finding> {
  const { version } = await openCgroups(systemClock);
  return { name: 'cgroups', status: 'ok', detail: `version ${version}` };
}

async function checkFileSystem(type: string, status: 'warn' | 'fail', purpose: string): Promise<Finding> {
  const known = (await readFile('/proc/filesystems', 'utf8')).split('\n').some((line) => line.split('\t')[1] === type);
  if (known) return { name: type, status: 'ok', detail: 'the kernel has it' };
  const loadable = (await moduleNames()).includes(type);
  if (loadable) return { name: type, status: 'ok', detail: 'a module that loads when it is needed' };
  return { name: type, status, detail: `the kernel lacks ${type} (${purpose})`, remedy: `Load it: modprobe ${type}` };
}

async function checkNft(host: Host): Promise<Finding> {
  await host.nft.list('list tables');
  return { name: 'nftables', status: 'ok', detail: 'the kernel answers' };
}

/** Another program's chain that drops what is forwarded also drops what goes to containers: nft has no way to overrule it. */
async function checkForwarding(host: Host): Promise<Finding> {
  const listed = (await host.nft.list('list chains')) as {
    readonly nftables: readonly {
      readonly chain?: {
        readonly family: string;
        readonly table: string;
        readonly name: string;
        readonly hook?: string;
        readonly policy?: string;
      };
    }[];
  };
  const dropping = listed.nftables.flatMap(({ chain }) =>
    chain?.hook === 'forward' && chain.policy === 'drop' ? [`${chain.family} ${chain.table} ${chain.name}`] : [],
  );
  if (dropping.length === 0) return { name: 'forwarding', status: 'ok', detail: 'nobody else filters forwarded packets' };
  return {
    name: 'forwarding',
    status: 'warn',
    detail: `dropped by default in ${dropping.join(', ')}: another firewall, or dockerd`,
    remedy:
      'Longshore lets its own bridges through dockerd’s and iptables’ chain; in another firewall, allow forwarding for links that begin with ls.',
  };
}

async function checkUserNamespaces(): Promise<Finding> {
  const most = Number(await readFile('/proc/sys/user/max_user_namespaces', 'utf8').catch(() => '0'));
  if (most > 0) return { name: 'user-namespaces', status: 'ok', detail: `up to ${most}` };
  return {
    name: 'user-namespaces',
    status: 'warn',
    detail: 'switched off: containers can’t have a user namespace of their own',
    remedy: 'sysctl user.max_user_namespaces=65536',
  };
}

async function checkOpenFiles(): Promise<Finding> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '0';
  if (hard === 'unlimited' || Number(hard) >= OPEN_FILES) return { name: 'open-files', status: 'ok', detail: `up to ${hard}` };
  return { name: 'open-files', status: 'warn', detail: `at most ${hard} open files: too few for many containers`, remedy: `Raise it: ulimit -n ${OPEN_FILES}` };
}

async function checkRunc(host: Host): Promise<Finding> {
  const found = await checkProgram(host, 'runc', ['--version'], 'fail', 'runs containers');
  if (found.status !== 'ok') return found;
  const version = /(\d+)\.(\d+)\.(\d+)/.exec(found.detail)?.slice(1).map(Number) as [number, number, number] | undefined;
  if (!version || isSafeRunc(version)) return found;
  return {
    ...found,
    status: 'warn',
    detail: `${found.detail}, which lacks fixes of November 2025 (CVE-2025-31133, CVE-2025-52565, CVE-2025-52881) against breaking out of a container`,
    remedy: 'Name a newer one (--runtime), or run only images that you trust.',
  };
}

function isSafeRunc([major, minor, patch]: readonly [number, number, number]): boolean {
  const branch = SAFE_RUNC.find(([m, n]) => m === major && n === minor);
  if (branch) return patch >= branch[2];
  const newest = SAFE_RUNC.at(-1)!;
  return major > newest[0] || (major === newest[0] && minor > newest[1]);
}

async function checkProgram(host: Host, name: string, args: readonly string[], status: 'warn' | 'fail', purpose: string): Promise<Finding> {
  const path = await which(name);
  if (path === undefined) {
    return {
      name,
      status,
      detail: `${name} is not installed: it ${purpose}`,
      remedy: `Install it: apt-get install ${PACKAGE_OF[name] ?? name}`,
    };
  }
  const { stdout, stderr } = await host.spawn.run(path, args, { timeoutMs: 5000 });
  const line = (stdout.toString('utf8') || stderr).split('\n')[0]!.trim();
  return { name, status: 'ok', detail: line.startsWith(name) ? line : `${name}: ${line}` };
}

/** Modules that the running kernel could load. */
async function moduleNames(): Promise<string[]> {
  const text = await readFile(`/lib/modules/${release()}/modules.dep`, 'utf8').catch(() => ''); // a kernel without modules
  return text.split('\n').map((line) => /([^/]+)\.ko[^:]*:/.exec(line)?.[1] ?? '');
}

/** Free bytes on the file system of a folder, for messages about full disks. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
