import { readFile } from 'node:fs/promises';
import type { Host } from '../../host/host.ts';
import { instanceTable, linkPrefix } from '../../host/tables.ts';
import { isErrno, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Book } from './book.ts';
import { DnsServer } from './dns/server.ts';
import type { Directory } from './dns/server.ts';
import { nameservers } from './dns/upstream.ts';
import type { Upstream } from './dns/upstream.ts';
import { closeForwarding, openForwarding } from './forwarding.ts';
import { layout } from './rules.ts';
import type { BridgeRules, PublishedPort } from './rules.ts';
import { overlaps, parseSubnet } from './subnets.ts';
import type { Subnet } from './subnets.ts';

export type NetworkHost = Pick<Host, 'links' | 'nft' | 'netns' | 'mounts' | 'sysctl' | 'ports' | 'conntrack'>;

/** What the books want the nft table to hold. */
export interface Wanted {
  readonly bridges: readonly BridgeRules[];
  readonly ports: readonly PublishedPort[];
}

interface Meta {
  /** The value of ip_forward that we found and changed; undefined: it was on. */
  ipForwardBefore?: string;
  dnsPort?: number;
}

const META = 'host';

/** The instance's part of the kernel: forwarding, the nft table, the resolver that packets are redirected to, bridges. Set up at the first need. */
export class DataPath {
  readonly #host: NetworkHost;
  readonly #instance: string;
  readonly #book: Book;
  readonly #directory: Directory;
  readonly #upstream: Upstream;
  readonly #resolvConf: string;
  readonly #wanted: () => Wanted;
  readonly #logger: Logger;
  #meta: Meta = {};
  #dns: DnsServer | undefined;
  #ready: Promise<void> | undefined;

  constructor(options: {
    readonly host: NetworkHost;
    readonly instance: string;
    readonly book: Book;
    readonly directory: Directory;
    readonly upstream: Upstream;
    readonly resolvConf: string;
    readonly wanted: () => Wanted;
    readonly logger: Logger;
  }) {
    this.#host = options.host;
    this.#instance = options.instance;
    this.#book = options.book;
    this.#directory = options.directory;
    this.#upstream = options.upstream;
    this.#resolvConf = options.resolvConf;
    this.#wanted = options.wanted;
    this.#logger = options.logger;
  }

  /** Takes over what an earlier process noted about the machine. */
  restore(record: unknown): void {
    if (record !== undefined) this.#meta = record as Meta;
  }

  /** Resolves when packets flow. A failed attempt is made again by the next caller. */
  ready(): Promise<void> {
    this.#ready ??= this.#start().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  /** Applies a change that the books hold already; when the table isn't as we left it, all of it is made anew. */
  async change(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    // The first filling is made from the books, which hold the change already.
    if (!this.#ready) return await this.ready();
    await this.#ready;
    try {
      await this.#host.nft.apply(lines.join('\n'));
    } catch (error) {
      this.#logger.warn('the nft table is not as expected, and is made anew', { error: messageOf(error) });
      await this.#fill();
    }
  }

  /** Subnets that a new network must keep away from: where this machine has routes, and its name servers. */
  async taken(ownLinks: ReadonlySet<string>): Promise<Subnet[]> {
    const found: Subnet[] = [];
    for (const route of await this.#host.links.routes()) {
      if (route.destination === 'default' || route.destination.includes(':') || (route.link !== undefined && ownLinks.has(route.link))) {
        continue;
      }
      found.push(parseSubnet(route.destination));
    }
    const text = await readFile(this.#resolvConf, 'utf8').catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return '';
      throw error;
    });
    for (const server of nameservers(text)) if (!server.includes(':')) found.push(parseSubnet(`${server}/32`));
    return found;
  }

  /**
   * Makes a bridge, and tells whether it may stay: when another instance took an overlapping subnet at the same moment, the later link gives way.
   * @returns false when it was removed again, for another subnet to be chosen; only with `mayYield`
   */
  async addBridge(rules: BridgeRules, gateway: string, mtu: number | undefined, mayYield: boolean): Promise<boolean> {
    const { links, sysctl } = this.#host;
    const own = parseSubnet(rules.subnet);
    await links.addBridge(rules.bridge, { addresses: [`${gateway}/${own.prefixLength}`], ...(mtu === undefined ? {} : { mtu }) });
    if (mayYield) {
      const [routes, all] = await Promise.all([links.routes(), links.list()]);
      const index = new Map(all.map((link) => [link.name, link.index]));
      const rival = routes.find(
        (route) =>
          route.link !== undefined &&
          route.link !== rules.bridge &&
          route.destination !== 'default' &&
          !route.destination.includes(':') &&
          overlaps(parseSubnet(route.destination), own) &&
          (index.get(route.link) ?? 0) < (index.get(rules.bridge) ?? 0),
      );
      if (rival) {
        await links.remove(rules.bridge);
        return false;
      }
    }
    // The resolver, and published ports at 127.0.0.1, need it; the guard chain lets nothing else through.
    await sysctl.set(`net/ipv4/conf/${rules.bridge}/route_localnet`, '1');
    return true;
  }

  async close(): Promise<void> {
    await this.#ready?.catch(() => {}); // whoever asked for it was told
    await this.#dns?.close();
    this.#dns = undefined;
    this.#ready = undefined;
  }

  /** Takes away links and table, and puts forwarding back unless another instance needs it. */
  async destroy(bridges: readonly string[]): Promise<void> {
    await this.close();
    const { links, nft, sysctl } = this.#host;
    const prefix = linkPrefix(this.#instance);
    const names = (await links.list()).map((link) => link.name).filter((name) => name.startsWith(prefix) || bridges.includes(name));
    await Promise.all(names.map((name) => links.retire(name)));
    await links.settle();
    await closeForwarding(nft, this.#instance);
    await nft.apply(`add table ${instanceTable(this.#instance)}\ndelete table ${instanceTable(this.#instance)}`);
    const before = this.#meta.ipForwardBefore;
    if (before === undefined) return;
    const tables = (await nft.list('list tables')) as { readonly nftables: readonly { readonly table?: { readonly name: string } }[] };
    const others = tables.nftables.some(({ table }) => table?.name.startsWith('longshore-') && !table.name.startsWith(`longshore-${this.#instance}`));
    if (!others) await sysctl.set('net.ipv4.ip_forward', before);
    this.#meta = { ...this.#meta };
    delete this.#meta.ipForwardBefore;
    await this.#book.save(META, () => this.#meta);
  }

  async #start(): Promise<void> {
    const { sysctl } = this.#host;
    const [forward] = await Promise.all([
      sysctl.get('net.ipv4.ip_forward'),
      (async () => {
        this.#dns ??= await DnsServer.listen({ port: this.#meta.dnsPort ?? 0, directory: this.#directory, upstream: this.#upstream, logger: this.#logger });
      })(),
    ]);
    const changed = forward !== '1' || this.#meta.dnsPort !== this.#dns!.port;
    this.#meta.dnsPort = this.#dns!.port;
    // Noted first: after a crash in between `destroy` knows what to put back.
    if (forward !== '1') this.#meta.ipForwardBefore ??= forward;
    if (changed) await this.#book.save(META, () => this.#meta);
    if (forward !== '1') await sysctl.set('net.ipv4.ip_forward', '1');
    await this.#fill();
    try {
      await openForwarding(this.#host.nft, this.#instance);
    } catch (error) {
      // Somebody else's rules that nft can't show; `longshore doctor` tells of the chain.
      this.#logger.warn('another firewall’s forward chain could not be looked at', { error: messageOf(error) });
    }
  }

  async #fill(): Promise<void> {
    const { bridges, ports } = this.#wanted();
    await this.#host.nft.apply(layout(this.#instance, this.#dns!.port, bridges, ports));
  }
}
