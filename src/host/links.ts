import { createHash } from 'node:crypto';
import { LongshoreError } from '../lib/errors.ts';
import type { Undo } from '../lib/undo.ts';
import { parseCidr } from './address.ts';
import type { AttachOptions, LinkInfo, Links, Route } from './host.ts';
import { dump, exchange, NetlinkError, openNetlink } from './netlink/exchange.ts';
import type { NetlinkSocket, Request } from './netlink/exchange.ts';
import type { Reply } from './netlink/message.ts';
import {
  addressDumpHeader,
  allowLoopback,
  deleteFdb,
  deleteGroup,
  deleteLink,
  deleteNeighbour,
  deleteRoute,
  linkDumpHeader,
  newAddress,
  newFdb,
  newLink,
  newLoopbackRoute,
  newNeighbour,
  newRoute,
  parseAddressReply,
  parseLink,
  parseRoute,
  routeDumpHeader,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETROUTE,
  setGroup,
  setPort,
  setLink,
  syncCarrier,
  vethPeer,
  vxlanData,
} from './netlink/rtnetlink.ts';
import type { NewLink } from './netlink/rtnetlink.ts';
import { enterPath, homeNamespace, inside, runInside } from './inside.ts';
import { Program, SyscallError } from './syscall/program.ts';

const SIOCGIFINDEX = 0x8933;
/** linux/if.h: IFNAMSIZ less the final zero. */
const NAME_BYTES = 15;
const VXLAN_PORT = 4789;
/** The group of links that are to go, whoever put them there ("lsgo"). */
const RETIRED = 0x6c73676f;
const REAP_AFTER_MS = 20;
const THERE = ['EEXIST'];
/** A kernel without IPv6 has no link-local addresses to switch off. */
const NO_IPV6 = ['EAFNOSUPPORT', 'EOPNOTSUPP'];
/** Answers that mean that what is to go is gone. */
const GONE = ['ENODEV', 'ENXIO', 'ESRCH', 'ENOENT', 'EADDRNOTAVAIL', 'EINVAL'];

/** Links by rtnetlink: each method is one program of system calls, off this thread. */
export class LinuxLinks implements Links {
  #reaping: Promise<void> | undefined;
  #reapFailure: unknown;
  #retired = 0;

  async list(netns?: string): Promise<LinkInfo[]> {
    return (await table(RTM_GETLINK, linkDumpHeader(), netns)).filter((reply) => reply.payload[0] === 0).map(parseLink);
  }

  async addBridge(name: string, options: { readonly addresses: readonly string[]; readonly mtu?: number }): Promise<Undo> {
    // A MAC of its own keeps the bridge from taking, and changing with, that of the lowest port.
    return await this.#add({ name, kind: 'bridge', mac: stableMac(name), mtu: options.mtu }, options.addresses);
  }

  async addVxlan(
    name: string,
    options: { readonly vni: number; readonly local: string; readonly port?: number; readonly mtu?: number; readonly bridge?: string },
  ): Promise<Undo> {
    const master = options.bridge === undefined ? undefined : await this.#index(options.bridge);
    const undo = await this.#add(
      {
        name,
        kind: 'vxlan',
        mac: stableMac(`${name} ${options.local}`),
        mtu: options.mtu,
        data: vxlanData({ vni: options.vni, local: options.local, port: options.port ?? VXLAN_PORT }),
      },
      [],
    );
    if (master !== undefined) await requests([{ what: `link ${name}`, message: setLink(name, { master }) }]);
    return undo;
  }

  async addDummy(name: string, addresses: readonly string[]): Promise<Undo> {
    const there = (await this.list()).find((other) => other.name === name);
    try {
      if (there?.kind === 'bridge') return await this.#add({ name, kind: 'bridge', mac: there.mac }, addresses);
      return await this.#add({ name, kind: 'dummy' }, addresses);
    } catch (error) {
      // A kernel without that driver: a bridge without ports does the same.
      if (!(error instanceof NetlinkError) || error.code !== 'EOPNOTSUPP') throw error;
      return await this.#add({ name, kind: 'bridge', mac: stableMac(name) }, addresses);
    }
  }

  async attach(options: AttachOptions): Promise<Undo> {
    checkName(options.hostName);
    checkName(options.name);
    const bridge = await this.#index(options.bridge);
    const first = indexInside(options.name);
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#attachOnce(options, bridge, first + attempt * 64);
        break;
      } catch (error) {
        if (attempt === 3) throw asUserError(error, `link ${options.hostName}`);
        // What an earlier, broken attempt left under our own name is in the way. An index that is taken (EBUSY) is just skipped.
        if (error instanceof NetlinkError && (error.code === 'EBUSY' || error.code === 'EEXIST')) {
          if (error.code === 'EEXIST' && attempt === 0) await this.remove(options.hostName);
          else if (error.code === 'EEXIST') throw asUserError(error, `link ${options.name}`);
          continue;
        }
        await this.remove(options.hostName);
        throw asUserError(error, `link ${options.hostName}`, options.netns);
      }
    }
    return this.#undo(options.hostName);
  }

  async retire(name: string): Promise<void> {
    checkName(name);
    const what = `link ${name}`;
    await requests([
      { what, message: setGroup(name, RETIRED), accept: GONE },
      { what, message: setPort(name, { disabled: true }), accept: [...GONE, 'EOPNOTSUPP'] },
    ]);
    // Whoever comes meanwhile is taken along, or starts the next round.
    this.#reaping ??= this.#reap();
    this.#retired++;
  }

  async settle(): Promise<void> {
    while (this.#reaping) await this.#reaping;
    const failure = this.#reapFailure;
    this.#reapFailure = undefined;
    if (failure !== undefined) throw failure;
  }

  async remove(name: string, netns?: string): Promise<void> {
    checkName(name);
    await requests([{ what: `link ${name}`, message: deleteLink(name), accept: GONE }], netns);
  }

  async addresses(netns?: string): Promise<{ readonly link: string; readonly cidr: string }[]> {
    const [links, replies] = await Promise.all([this.list(netns), table(RTM_GETADDR, addressDumpHeader(), netns)]);
    const names = new Map(links.map((link) => [link.index, link.name]));
    return replies.flatMap((reply) => {
      const found = parseAddressReply(reply);
      const link = found && names.get(found.index);
      return found && link !== undefined ? [{ link, cidr: found.cidr }] : [];
    });
  }

  async addRoute(route: Route, netns?: string): Promise<Undo> {
    const oif = route.link === undefined ? undefined : await this.#index(route.link, netns);
    const what = `route ${route.destination}`;
    await requests([{ what, message: newRoute(route, oif), accept: THERE }], netns);
    return once(() => requests([{ what, message: deleteRoute(route, oif), accept: GONE }], netns));
  }

  async routeLoopback(link: string, loopback: { readonly address: string; readonly via: string }, netns?: string): Promise<void> {
    const index = await this.#index(link, netns);
    await requests(
      [
        { what: `link ${link}`, message: allowLoopback(index) },
        { what: `route ${loopback.address}`, message: newLoopbackRoute(loopback.address, loopback.via, index), accept: THERE },
      ],
      netns,
    );
  }

  async routes(netns?: string): Promise<Route[]> {
    const [links, replies] = await Promise.all([this.list(netns), table(RTM_GETROUTE, routeDumpHeader(), netns)]);
    const names = new Map(links.map((link) => [link.index, link.name]));
    return replies.flatMap((reply) => parseRoute(reply, (index) => names.get(index)) ?? []);
  }

  async addNeighbour(entry: { readonly link: string; readonly address: string; readonly mac: string }): Promise<Undo> {
    const index = await this.#index(entry.link);
    const what = `neighbour ${entry.address}`;
    await requests([{ what, message: newNeighbour(index, entry.address, entry.mac) }]);
    return once(() => requests([{ what, message: deleteNeighbour(index, entry.address, entry.mac), accept: GONE }]));
  }

  async addFdb(entry: { readonly link: string; readonly mac: string; readonly remote: string }): Promise<Undo> {
    const index = await this.#index(entry.link);
    const what = `forwarding entry ${entry.mac}`;
    await requests([{ what, message: newFdb(index, entry.mac, entry.remote), accept: THERE }]);
    return once(() => requests([{ what, message: deleteFdb(index, entry.mac, entry.remote), accept: GONE }]));
  }

  async #add(link: NewLink, addresses: readonly string[]): Promise<Undo> {
    checkName(link.name);
    const what = `link ${link.name}`;
    try {
      await requests([{ what, message: newLink(link) }]);
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== 'EEXIST') throw error;
      const there = (await this.list()).find((other) => other.name === link.name);
      if (there && there.kind !== link.kind) {
        throw new LongshoreError('conflict', `the link ${link.name} exists and is not a ${link.kind}`, {
          object: what,
          remedy: `Remove it: ip link delete ${link.name}`,
        });
      }
    }
    try {
      const index = await this.#index(link.name);
      await requests([
        ...addresses.map((cidr) => ({ what: `address ${cidr}`, message: newAddress(index, cidr), accept: THERE })),
        { what, message: setLink(index, { up: true }) },
      ]);
    } catch (error) {
      await this.remove(link.name);
      throw asUserError(error, what);
    }
    return this.#undo(link.name);
  }

  async #attachOnce(options: AttachOptions, bridge: number, index: number): Promise<void> {
    const ipv6 = options.addresses.some((cidr) => parseCidr(cidr).family === 6);
    const within: Request[] = [
      {
        what: `link ${options.name}`,
        message: newLink({
          name: options.name,
          kind: 'veth',
          index,
          mac: options.mac,
          mtu: options.mtu,
          data: vethPeer(options.hostName, homeNamespace(), options.mtu),
        }),
      },
      ...(ipv6 ? [] : [{ what: `link ${options.name}`, message: setLink(index, { ipv6: false }), accept: NO_IPV6 }]),
      ...options.addresses.map((cidr) => ({ what: `address ${cidr}`, message: newAddress(index, cidr) })),
      { what: `link ${options.name}`, message: setLink(index, { up: true }) },
      { what: 'link lo', message: setLink(1, { up: true }) },
      ...(options.gateway === undefined
        ? []
        : [
            {
              what: `route by ${options.gateway}`,
              message: newRoute({ destination: 'default', via: options.gateway }, index),
              accept: THERE,
            },
          ]),
      ...(options.loopback === undefined
        ? []
        : [
            { what: `link ${options.name}`, message: allowLoopback(index) },
            { what: `route ${options.loopback.address}`, message: newLoopbackRoute(options.loopback.address, options.loopback.via, index), accept: THERE },
          ]),
    ];
    const without: Request[] = [
      { what: `link ${options.hostName}`, message: setLink(options.hostName, { ipv6: false }), accept: NO_IPV6 },
      { what: `link ${options.hostName}`, message: setLink(options.hostName, { master: bridge, up: true }) },
      ...(options.hairpin || options.isolated
        ? [
            {
              what: `link ${options.hostName}`,
              message: setPort(options.hostName, { hairpin: options.hairpin, isolated: options.isolated }),
            },
          ]
        : []),
      { what: `link ${options.hostName}`, message: syncCarrier(options.hostName), answered: true },
    ];
    const program = new Program();
    const outer = openNetlink(program);
    const checks: (() => void)[] = [];
    let inner: NetlinkSocket | undefined;
    const back = inside(program, enterPath(options.netns), () => {
      inner = openNetlink(program);
      checks.push(exchange(program, inner, within));
    });
    checks.push(exchange(program, outer, without));
    // The socket stays in the namespace that it was opened in.
    checks.push(exchange(program, inner!, [{ what: `link ${options.name}`, message: syncCarrier(index), answered: true }]));
    program.always('close', inner!.socket);
    program.always('close', outer.socket);
    await runInside(program, back);
    for (const check of checks) check();
  }

  async #index(name: string, netns?: string): Promise<number> {
    checkName(name);
    const program = new Program();
    // struct ifreq: the name in 16 bytes, then the answer.
    const request = program.allocate(40, (into) => into.write(name, 0));
    const ask = (): void => {
      const { socket } = openNetlink(program);
      program.call('ioctl', socket, SIOCGIFINDEX, request);
      program.always('close', socket);
    };
    try {
      if (netns === undefined) {
        ask();
        program.runSync(); // takes no lock
      } else await runInside(program, inside(program, enterPath(netns), ask));
    } catch (error) {
      if (error instanceof SyscallError && error.code === 'ENODEV') {
        throw new LongshoreError('not-found', `there is no link ${name}`, { object: `link ${name}`, cause: error });
      }
      throw error;
    }
    return program.read(request).readInt32LE(16);
  }

  /** Rounds of removing all retired links as one, until none is left. */
  async #reap(): Promise<void> {
    try {
      do {
        await new Promise((resolve) => setTimeout(resolve, REAP_AFTER_MS));
        this.#retired = 0;
        await requests([{ what: 'retired links', message: deleteGroup(RETIRED), accept: GONE }]);
      } while (this.#retired > 0);
    } catch (error) {
      this.#reapFailure = error; // for settle; until then the links are cut off, and stay in their group for the next round
    } finally {
      this.#reaping = undefined;
    }
  }

  #undo(name: string): Undo {
    return once(() => this.remove(name));
  }
}

/** Sends requests in one batch. */
async function requests(list: readonly Request[], netns?: string): Promise<void> {
  const program = new Program();
  let check = (): void => {};
  const body = (): void => {
    const netlink = openNetlink(program);
    check = exchange(program, netlink, list);
    program.always('close', netlink.socket);
  };
  if (netns === undefined) {
    body();
    await program.run();
  } else await runInside(program, inside(program, enterPath(netns), body));
  check();
}

function table(type: number, header: Buffer, netns: string | undefined): Promise<Reply[]> {
  return dump(type, header, async (build) => {
    const program = new Program();
    if (netns === undefined) {
      build(program);
      await program.run();
    } else await runInside(program, inside(program, enterPath(netns), build));
  });
}

/** The link's index within a namespace is ours to choose, which saves asking for it: eth0 is 16, and so on. */
function indexInside(name: string): number {
  const digits = /(\d{1,3})$/.exec(name)?.[1];
  return 16 + (digits === undefined ? 0 : Number(digits));
}

/** A locally administered MAC that follows from the name. */
function stableMac(seed: string): string {
  const hash = createHash('sha256').update(seed).digest();
  return ['02', ...Array.from(hash.subarray(0, 5), (byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || Buffer.byteLength(name) > NAME_BYTES || /[\s/:\0]/.test(name)) {
    throw new LongshoreError('invalid', `${JSON.stringify(name)} can't be the name of a link`, { object: `link ${name}` });
  }
}

function once(undo: () => Promise<void>): Undo {
  let done: Promise<void> | undefined;
  return () => (done ??= undo());
}

function asUserError(error: unknown, object: string, netns?: string): unknown {
  if (error instanceof SyscallError && error.code === 'ENOENT' && error.path === netns) {
    return new LongshoreError('not-found', `the network namespace ${netns} does not exist`, { object, cause: error });
  }
  if (error instanceof NetlinkError) {
    return new LongshoreError('internal', `${object} can't be set up: ${error.message}`, { object, cause: error });
  }
  return error;
}
