/**
 * Another firewall's chain that drops what is forwarded (dockerd's and ufw's `ip filter FORWARD`) decides over our packets too: an accept
 * of ours doesn't overrule it. So that chain, and no other, gets a rule that lets our links through to our own table,
 * which decides. It carries our name, and goes with us.
 */
import type { Nft } from '../../host/host.ts';
import { linkPrefix } from '../../host/tables.ts';

const CHAIN = 'ip filter FORWARD';

interface Listed {
  readonly nftables: readonly {
    readonly chain?: { readonly family: string; readonly table: string; readonly name: string; readonly policy?: string };
    readonly rule?: { readonly handle: number; readonly comment?: string };
  }[];
}

/** Adds the rules where that chain is there, drops by default, and lacks them. */
export async function openForwarding(nft: Nft, instance: string): Promise<void> {
  const chains = (await nft.list('list chains ip')) as Listed;
  if (!chains.nftables.some(({ chain }) => chain?.table === 'filter' && chain.name === 'FORWARD' && chain.policy === 'drop')) return;
  if ((await ourRules(nft, instance)).length > 0) return;
  const links = `"${linkPrefix(instance)}*"`;
  await nft.apply(['iifname', 'oifname'].map((field) => `insert rule ${CHAIN} ${field} ${links} accept comment "longshore-${instance}"`).join('\n'));
}

/** Takes them away; nothing there is success. */
export async function closeForwarding(nft: Nft, instance: string): Promise<void> {
  const chains = (await nft.list('list chains ip')) as Listed;
  if (!chains.nftables.some(({ chain }) => chain?.table === 'filter' && chain.name === 'FORWARD')) return;
  const rules = await ourRules(nft, instance);
  if (rules.length > 0) await nft.apply(rules.map((handle) => `delete rule ${CHAIN} handle ${handle}`).join('\n'));
}

async function ourRules(nft: Nft, instance: string): Promise<number[]> {
  const listed = (await nft.list(`list chain ${CHAIN}`)) as Listed;
  return listed.nftables.flatMap(({ rule }) => (rule?.comment === `longshore-${instance}` ? [rule.handle] : []));
}
