import { access } from 'node:fs/promises';
import type { CgroupAbilities } from '../host.ts';
import { readControl } from './files.ts';

/** What the mounted controllers of version 1 have files for (the kernel's configuration decides). */
export async function abilitiesV1(controllers: ReadonlyMap<string, string>): Promise<CgroupAbilities> {
  const has = async (controller: string, file: string): Promise<boolean> => {
    const root = controllers.get(controller);
    return root !== undefined && (await exists(`${root}/${file}`));
  };
  const cpuset = controllers.get('cpuset');
  const [swap, memoryReservation, memorySwappiness, oomKillDisable, weight, bfq, weightDevices, rates, cpus, mems] = await Promise.all([
    has('memory', 'memory.memsw.limit_in_bytes'),
    has('memory', 'memory.soft_limit_in_bytes'),
    has('memory', 'memory.swappiness'),
    has('memory', 'memory.oom_control'),
    has('blkio', 'blkio.weight'),
    // The root has no weight of bfq's; that there is bfq shows in its counters.
    has('blkio', 'blkio.bfq.io_serviced'),
    has('blkio', 'blkio.weight_device'), has('blkio', 'blkio.throttle.read_bps_device'),
    cpuset === undefined ? undefined : readControl(`${cpuset}/cpuset.cpus`), cpuset === undefined ? undefined : readControl(`${cpuset}/cpuset.mems`),
  ]);
  return {
    swap,
    memoryReservation,
    memorySwappiness,
    oomKillDisable,
    blockIoWeight: weight || bfq,
    blockIoWeightDevices: weightDevices,
    blockIoRates: rates,
    cpus,
    memoryNodes: mems,
  };
}

/** What the tree of version 2 has; memory.oom_control and memory.swappiness have no successors there. */
export async function abilitiesV2(root: string, swap: boolean): Promise<CgroupAbilities> {
  const [controllers, cpus, memoryNodes, cost, bfq] = await Promise.all([
    readControl(`${root}/cgroup.controllers`),
    readControl(`${root}/cpuset.cpus.effective`),
    readControl(`${root}/cpuset.mems.effective`),
    exists(`${root}/io.cost.qos`),
    exists('/sys/module/bfq'),
  ]);
  const io = (controllers ?? '').split(' ').includes('io');
  return {
    swap,
    memoryReservation: true,
    memorySwappiness: false,
    oomKillDisable: false,
    blockIoWeight: io && (cost || bfq),
    blockIoWeightDevices: io && (cost || bfq),
    blockIoRates: io,
    cpus,
    memoryNodes,
  };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
