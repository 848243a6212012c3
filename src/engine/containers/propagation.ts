import { readFile, realpath } from 'node:fs/promises';
import { LongshoreError } from '../../lib/errors.ts';

/**
 * A mount that nobody else sees spreads nothing: refused, as Docker does, rather than promised.
 * @throws `invalid` when the propagation needs a shared mount (mount_namespaces(7)), or one that is fed by another, and the source is on none
 */
export async function checkPropagation(source: string, propagation: string): Promise<void> {
  const isSlave = propagation.endsWith('slave');
  if (!isSlave && !propagation.endsWith('shared')) return;
  const [path, mountinfo] = await Promise.all([realpath(source), readFile('/proc/self/mountinfo', 'utf8')]);
  const { target, peers } = mountOf(mountinfo, path);
  if (peers.includes('shared:') || (isSlave && peers.includes('master:'))) return;
  throw new LongshoreError('invalid', `path ${source} is mounted on ${target} but it is not a shared ${isSlave ? 'or slave ' : ''}mount`, {
    object: source,
    remedy: `Make it one: mount --make-shared ${target}`,
  });
}

/** The mount of /proc/self/mountinfo (proc_pid_mountinfo(5)) in which a path lies, with its optional fields. Of two at one place the later is on top. */
export function mountOf(mountinfo: string, path: string): { readonly target: string; readonly peers: string } {
  let best = { target: '', peers: '' };
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' - ')[0]!.split(' ');
    const target = fields[4]?.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
    if (target === undefined || !(target === '/' || path === target || path.startsWith(`${target}/`))) continue;
    if (target.length >= best.target.length) best = { target, peers: fields.slice(6).join(' ') };
  }
  return best;
}
