import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import type { Host } from './host.ts';
import { openCgroups } from './cgroups/detect.ts';
import { refuseChangedRoot } from './changed-root.ts';
import { LinuxConntrack } from './conntrack.ts';
import { LinuxKeptNamespaces } from './kept-namespaces.ts';
import { LinuxLinks } from './links.ts';
import { LinuxMounts } from './mounts.ts';
import { LinuxNetworkNamespaces } from './netns.ts';
import { LinuxNft } from './nft.ts';
import { LinuxPorts } from './ports.ts';
import { LinuxSpawner } from './spawn.ts';
import { LinuxSysctl } from './sysctl.ts';

/** The real machine. Nothing is loaded, opened or changed yet: the first use does. @throws `unavailable` without cgroups, `invalid` in a chroot */
export async function openHost(options: { readonly clock?: Clock } = {}): Promise<Host> {
  const spawn = new LinuxSpawner();
  const mounts = new LinuxMounts();
  const [cgroups] = await Promise.all([openCgroups(options.clock ?? systemClock), refuseChangedRoot(spawn)]);
  return {
    spawn,
    mounts,
    netns: new LinuxNetworkNamespaces(mounts),
    namespaces: new LinuxKeptNamespaces(mounts),
    links: new LinuxLinks(),
    nft: new LinuxNft(spawn),
    cgroups,
    sysctl: new LinuxSysctl(),
    ports: new LinuxPorts(),
    conntrack: new LinuxConntrack(),
  };
}
