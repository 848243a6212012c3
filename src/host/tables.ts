/**
 * # The instance's one nft table, shared by rooms
 *
 * Everything that an instance puts into nftables is in `inet longshore-<instance>`.
 * Each room has base chains, maps and sets of its own, named `<room>-…`, and touches no others: it
 * flushes and fills its own in one transaction, and takes part by priority. `add table` and `add chain` succeed when they are there
 * already, so each room says them itself, in any order. Deleting the table is for `down` alone.
 *
 * Two chains at one hook: for NAT the first that finds a mapping decides for the
 * connection; for filters a drop is final, and an accept is only one chain's opinion.
 */
export type TableRoom = 'engine' | 'services' | 'policy';
export type Hook = 'guard' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

/**
 * Priorities: `guard` runs before connection tracking. Services are translated before published
 * ports, so that a NodePort or ClusterIP wins over `docker run -p`; policies see translated addresses.
 */
const CHAINS: Record<Hook, { readonly type: 'nat' | 'filter'; readonly hook: string; readonly priority: Record<TableRoom, number> }> = {
  guard: { type: 'filter', hook: 'prerouting', priority: { engine: -300, services: -299, policy: -298 } },
  prerouting: { type: 'nat', hook: 'prerouting', priority: { engine: -100, services: -110, policy: -90 } },
  output: { type: 'nat', hook: 'output', priority: { engine: -100, services: -110, policy: -90 } },
  input: { type: 'filter', hook: 'input', priority: { engine: 0, services: -10, policy: 10 } },
  forward: { type: 'filter', hook: 'forward', priority: { engine: 0, services: -10, policy: 10 } },
  postrouting: { type: 'nat', hook: 'postrouting', priority: { engine: 100, services: 90, policy: 110 } },
};

/** `inet longshore-1a2b3c4d`, as scripts name it. */
export function instanceTable(instance: string): string {
  return `inet longshore-${instance}`;
}

/** The name of a room's base chain, as in `engine-prerouting`. */
export function chainName(room: TableRoom, hook: Hook): string {
  return `${room}-${hook}`;
}

/** The script line that makes a room's base chain; nothing happens when it is there. */
export function addBaseChain(instance: string, room: TableRoom, hook: Hook): string {
  const { type, hook: at, priority } = CHAINS[hook];
  return `add chain ${instanceTable(instance)} ${chainName(room, hook)} { type ${type} hook ${at} priority ${priority[room]}; policy accept; }`;
}

/** The prefix of all links of an instance: `ls` and the first 4 digits of its id. */
export function linkPrefix(instance: string): string {
  return `ls${instance.slice(0, 4)}`;
}
