import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { capabilityNames } from './capabilities.ts';

/** What this machine lets us hand on to containers; read once. runc fails, with words that nobody understands, when asked for more. */
export interface Machine {
  readonly capabilities: readonly string[];
  /** Our own oom_score_adj; a lower one wants CAP_SYS_RESOURCE. */
  readonly oomScoreAdj: number;
  /** Hard limits by their names in /proc/PID/limits; Infinity for unlimited. */
  readonly hardLimits: ReadonlyMap<string, number>;
  readonly kernel: string;
  /** Mounts can be made read-only with all beneath them (mount_setattr, Linux 5.12). */
  readonly recursiveReadOnly: boolean;
}

export async function readMachine(): Promise<Machine> {
  const [status, oom, limits] = await Promise.all(['status', 'oom_score_adj', 'limits'].map((name) => readFile(`/proc/self/${name}`, 'utf8')));
  const hardLimits = new Map<string, number>();
  for (const line of limits!.split('\n')) {
    const fields = /^(Max .+?)\s{2,}(\S+)\s+(\S+)/.exec(line);
    if (fields !== null) hardLimits.set(fields[1]!, fields[3] === 'unlimited' ? Infinity : Number(fields[3]));
  }
  return {
    capabilities: capabilityNames(/^CapBnd:\s*([0-9a-f]+)/m.exec(status!)![1]!),
    oomScoreAdj: Number(oom),
    hardLimits,
    kernel: release(),
    recursiveReadOnly: isAtLeast(release(), 5, 12),
  };
}

function isAtLeast(kernel: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = kernel.split(/[.-]/).map(Number);
  return a > major || (a === major && b >= minor);
}

/** Names of limits: as --ulimit takes them, and as the kernel shows them. */
const LIMITS: Readonly<Record<string, string>> = {
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
};

export interface Rlimit { readonly type: string; readonly soft: number; readonly hard: number }

/** The largest number that JSON carries exactly to runc, far beyond any limit: what `unlimited` becomes. */
const UNLIMITED = 2 ** 53 - 1;

/** `process.rlimits` for --ulimit. Without CAP_SYS_RESOURCE a hard limit above our own is cut down to it. */
export function rlimits(ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[], machine: Machine): Rlimit[] {
  const mayRaise = machine.capabilities.includes('CAP_SYS_RESOURCE');
  return ulimits.map(({ name, soft, hard }) => {
    const ceiling = mayRaise ? UNLIMITED : Math.min(machine.hardLimits.get(LIMITS[name] ?? '') ?? UNLIMITED, UNLIMITED);
    const cut = (value: number): number => Math.min(value < 0 ? UNLIMITED : value, ceiling);
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: cut(soft), hard: cut(hard) };
  });
}

export function isLimit(name: string): boolean {
  return Object.hasOwn(LIMITS, name);
}
