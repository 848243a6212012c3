import type { Normaliser } from './play.ts';

export interface DockerFacts {
  /** All of the scenario's text: what a request wrote itself is not touched. */
  readonly written: string;
  /** Texts that stand for a place, such as the folder of the daemon's state, by their marks. */
  readonly places: ReadonlyMap<string, string>;
  /** Seconds since the epoch. */
  readonly now: () => number;
}

const DAY_SECONDS = 86_400;
const TIME = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g;
const ID = /\b[0-9a-f]{64}\b/g;
/** One in some hundreds has digits, or letters, only: whether it is one the known ids tell. */
const SHORT_ID = /\b[0-9a-f]{12}\b/g;
const PRIVATE = /\b(?:10\.\d+|172\.(?:1[6-9]|2\d|3[01])|192\.168)\.\d+\.\d+\b/g;
const MAC = /\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/g;

/** Numbers that are another one in each run, by the key that holds them. */
const NUMBERS: Readonly<Record<string, string>> = {
  Pid: '<pid>',
  Size: '<size>',
  SizeRootFs: '<size>',
  SizeRw: '<size>',
  VirtualSize: '<size>',
  SharedSize: '<size>',
  LayersSize: '<size>',
  SpaceReclaimed: '<size>',
  PublicPort: '<port>',
};
const STRINGS: Readonly<Record<string, string>> = {
  HostPort: '<port>',
  SandboxKey: '<path>',
  SandboxID: '<id>',
  EndpointID: '<id>',
  ResolvConfPath: '<path>',
  HostnamePath: '<path>',
  HostsPath: '<path>',
  LogPath: '<path>',
  Mountpoint: '<path>',
};
/** What depends on the machine: its kernel, its control groups, its modules. */
const MACHINE = new Set(['CgroupnsMode', 'OomKillDisable', 'MemorySwappiness', 'AppArmorProfile', 'MountLabel', 'ProcessLabel']);
const FIRST_EPHEMERAL_PORT = 30_000;

/**
 * Puts marks in place of what differs between runs and engines: ids (the
 * same id has the same mark: `<id web>` where a name is known, else `<id 2>`),
 * digests, times, addresses, ports that were not chosen, process ids, sizes.
 */
export class DockerNormaliser implements Normaliser {
  readonly #facts: DockerFacts;
  readonly #ids = new Map<string, string>();
  readonly #names = new Set<string>();
  #nameless = 0;

  constructor(facts: DockerFacts) {
    this.#facts = facts;
  }

  value(value: unknown, target: string): unknown {
    const name = /\/create\?(?:.*&)?name=([\w.-]+)/.exec(target)?.[1];
    const { Id } = (value ?? {}) as { Id?: unknown };
    if (name !== undefined && typeof Id === 'string' && !this.#ids.has(Id)) this.#name(Id, name);
    this.#learn(value);
    return this.#write(value, '');
  }

  text(text: string): string {
    return this.#string(text);
  }

  /** Gives ids the names that objects tell together with them. */
  #learn(value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    if (!Array.isArray(value)) {
      const { Id, Name } = value as { Id?: unknown; Name?: unknown };
      for (const [network, { NetworkID }] of Object.entries((value as { Networks?: Readonly<Record<string, { NetworkID?: unknown }>> }).Networks ?? {})) {
        if (typeof NetworkID === 'string' && NetworkID !== '' && !this.#ids.has(NetworkID)) this.#name(NetworkID, network);
      }
      if (typeof Id === 'string' && /^[0-9a-f]{64}$/.test(Id) && typeof Name === 'string' && !this.#ids.has(Id)) {
        this.#name(Id, Name.replace(/^\//, ''));
      }
    }
    for (const inner of Object.values(value)) this.#learn(inner);
  }

  #name(id: string, name: string): void {
    for (let n = 1; ; n++) {
      const mark = n === 1 ? name : `${name} ${n}`;
      if (this.#names.has(mark)) continue;
      this.#names.add(mark);
      this.#ids.set(id, mark);
      return;
    }
  }

  #markOf(id: string): string {
    if (!this.#ids.has(id)) this.#ids.set(id, String(++this.#nameless));
    return this.#ids.get(id)!;
  }

  #write(value: unknown, key: string): unknown {
    if (MACHINE.has(key)) return '<machine>';
    if (typeof value === 'string') {
      if (key === 'HostPort' && (value === '' || this.#facts.written.includes(value))) return value;
      return value !== '' && key in STRINGS ? STRINGS[key] : this.#string(value);
    }
    if (typeof value === 'number') return this.#number(value, key);
    // Mounts come in the order of a Go map.
    if (key === 'Mounts' && Array.isArray(value)) return value.toSorted(byDestination).map((inner) => this.#write(inner, ''));
    if (Array.isArray(value)) {
      return value
        .filter((inner) => typeof inner !== 'string' || !inner.startsWith('/sys/devices/system/cpu/'))
        .map((inner) => this.#write(inner, key));
    }
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([inner, held]) => [this.#string(inner), this.#write(held, inner)]));
  }

  #number(value: number, key: string): unknown {
    if (key === 'PublicPort') return value < FIRST_EPHEMERAL_PORT ? value : '<port>';
    if (value > 0 && key in NUMBERS) return NUMBERS[key];
    if (Math.abs(value - this.#facts.now()) < DAY_SECONDS || Math.abs(value / 1e9 - this.#facts.now()) < DAY_SECONDS) return '<time>';
    return value;
  }

  #string(text: string): string {
    if (/^<integer \d{19}>$/.test(text)) return '<time>'; // nanoseconds since the epoch
    let out = text;
    for (const [from, to] of this.#facts.places) out = out.replaceAll(from, to);
    out = out.replace('<root>/data/volumes/', '<root>/volumes/');
    out = out.replace(TIME, (time) =>
      Math.abs(Date.parse(time) / 1000 - this.#facts.now()) > DAY_SECONDS || this.#facts.written.includes(time) ? time : '<time>',
    );
    out = out.replaceAll(/\bsha256:[0-9a-f]{64}\b/g, (digest) =>
      this.#facts.written.includes(digest) ? digest : `<digest ${this.#markOf(digest)}>`,
    );
    out = out.replaceAll(ID, (id) => (this.#facts.written.includes(id) ? id : `<id ${this.#markOf(id)}>`));
    out = out.replaceAll(SHORT_ID, (short) => {
      const whole = [...this.#ids.keys()].find((id) => id.replace('sha256:', '').startsWith(short));
      return whole === undefined ? short : `<short ${this.#ids.get(whole)}>`;
    });
    out = out.replaceAll(PRIVATE, (address) => (this.#facts.written.includes(address) ? address : '<ip>'));
    out = out.replace(/(from 0\.01 to )[\d.]+(, as there are only )\d+/, '$1<cpus>$2<cpus>');
    out = out.replace(/(has active endpoints \(name:"[^"]*" id:")[0-9a-f]+/, '$1<id>');
    return out.replaceAll(MAC, (mac) => (this.#facts.written.includes(mac) ? mac : '<mac>'));
  }
}

function byDestination(a: { Destination?: string }, b: { Destination?: string }): number {
  return (a.Destination ?? '') < (b.Destination ?? '') ? -1 : 1;
}
