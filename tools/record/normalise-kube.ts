import type { Normaliser } from './play.ts';

type Json = Record<string, unknown>;

interface Metadata {
  readonly name?: string;
  readonly generateName?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface KubeFacts {
  /** All of the scenario's text: what a request wrote itself is not touched. */
  readonly written: string;
  /** Names and addresses of the server and its machine, by the mark that stands for them. */
  readonly places: ReadonlyMap<string, string>;
  readonly hostname: string;
  /** Where the server listens: the port by itself, and with any address of the machine before it, is a mark. */
  readonly port: number;
  /** Nobody else writes: the second resourceVersion of an object is that of the second write. */
  readonly alone: boolean;
  /** managedFields stay; else they are left out. */
  readonly managedFields: boolean;
  readonly now: () => number;
}

const DAY_MS = 86_400_000;
const UID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const TIME = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g;
const TOKEN = /\beyJ[\w-]{10,}\.[\w-]+\.[\w-]+/g;

/**
 * Puts marks in place of what differs between runs and servers: `<uid web>`
 * and `<rv web 2>` (the second resourceVersion that object `web` was seen
 * with), `<time>`, generated suffixes, allocated addresses and ports, tokens.
 * The same thing has the same mark throughout a scenario.
 */
export class KubeNormaliser implements Normaliser {
  readonly #facts: KubeFacts;
  /** What is replaced wherever it stands within a string. */
  readonly #marks = new Map<string, string>();
  /** Prefixes of generated names that the requests hold. */
  readonly #prefixes: readonly string[];
  readonly #used = new Set<string>();
  readonly #versions = new Map<string, string[]>();

  constructor(facts: KubeFacts) {
    this.#facts = facts;
    this.#prefixes = [...facts.written.matchAll(/generateName: ([\w-]+)/g)].map((found) => found[1]!);
    for (const [text, mark] of facts.places) this.#marks.set(text, mark);
  }

  value(value: unknown): unknown {
    this.#learn(value);
    return this.#write(value, '');
  }

  text(text: string): string {
    return this.#string(text);
  }

  #learn(value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) {
      for (const inner of value) this.#learn(inner);
      return;
    }
    const { metadata, spec } = value as { metadata?: Metadata; spec?: Json };
    if (typeof metadata === 'object' && metadata !== null) {
      const hash = metadata.labels?.['pod-template-hash'] ?? metadata.labels?.['controller-revision-hash']?.replace(/^.*-/, '');
      if (hash !== undefined && !this.#known(hash)) this.#mark(hash, 'hash', '');
      const name = this.#name(metadata);
      if (typeof metadata.uid === 'string' && !this.#known(metadata.uid)) this.#mark(metadata.uid, 'uid', name);
      if (typeof spec === 'object' && spec !== null) this.#learnSpec(name, spec);
    }
    for (const inner of Object.values(value)) this.#learn(inner);
  }

  /** The object's name; one that the server made up gets its mark first. */
  #name(metadata: Metadata): string {
    const { name = '', generateName } = metadata;
    if (generateName !== undefined && name.startsWith(generateName) && name.length > generateName.length && !this.#known(name)) {
      this.#put(name, this.#free(`${this.#string(generateName)}<suffix`, '>'));
    }
    return this.#string(name).replaceAll(/[<>]/g, '');
  }

  #learnSpec(name: string, spec: Json): void {
    const addresses = [spec['clusterIP'], ...(Array.isArray(spec['clusterIPs']) ? spec['clusterIPs'] as unknown[] : [])];
    for (const address of addresses) {
      if (typeof address === 'string' && /^[\d.]+$|:/.test(address) && !this.#known(address)) this.#mark(address, 'cluster-ip', name);
    }
  }

  #known(text: string): boolean {
    return this.#marks.has(text) || this.#facts.written.includes(text);
  }

  #mark(text: string, what: string, of: string): void {
    this.#put(text, this.#free(`<${of === '' ? what : `${what} ${of}`}`, '>'));
  }

  /** Longer texts first: a generated name holds a hash that has a mark of its own. */
  #put(text: string, mark: string): void {
    const all = [...this.#marks, [text, mark] as const].sort(([a], [b]) => b.length - a.length);
    this.#marks.clear();
    for (const [from, to] of all) this.#marks.set(from, to);
  }

  /** The first of `A>`, `A 2>`, `A 3>` … that stands for nothing yet. */
  #free(start: string, end: string): string {
    for (let n = 1; ; n++) {
      const mark = n === 1 ? `${start}${end}` : `${start} ${n}${end}`;
      if (this.#used.has(mark)) continue;
      this.#used.add(mark);
      return mark;
    }
  }

  #write(value: unknown, key: string): unknown {
    if (key === 'reportingInstance' && typeof value === 'string') return value.replace(this.#facts.hostname, '<hostname>');
    if (typeof value === 'string') return key === 'cells' ? age(this.#string(value)) : this.#string(value);
    if (typeof value === 'number') return this.#number(value, key);
    if (Array.isArray(value)) return value.map((inner) => this.#write(inner, key));
    if (typeof value !== 'object' || value === null) return value;
    const out: Json = {};
    for (const [inner, held] of Object.entries(value)) {
      if (inner === 'managedFields' && key === 'metadata') {
        if (this.#facts.managedFields) out[inner] = this.#write(byManager(held), inner);
      } else if (inner === 'description' && key === 'columnDefinitions') continue; // prose of theirs
      else if (inner === 'resourceVersion' && key === 'metadata') out[inner] = this.#version(value);
      else if (inner === 'resourceVersion' && key === 'involvedObject') out[inner] = '<rv>';
      else if (inner === 'continue' && key === 'metadata' && held !== '') out[inner] = '<continue>';
      else out[this.#string(inner)] = this.#write(held, inner);
    }
    return out;
  }

  #version(metadata: Metadata): string {
    const { uid, resourceVersion = '' } = metadata;
    if (uid === undefined || resourceVersion === '') return resourceVersion === '' || resourceVersion === '0' ? resourceVersion : '<rv>';
    if (!this.#facts.alone) return '<rv>';
    const seen = this.#versions.get(uid) ?? [];
    if (!seen.includes(resourceVersion)) seen.push(resourceVersion);
    this.#versions.set(uid, seen);
    return `<rv ${this.#name(metadata)} ${seen.indexOf(resourceVersion) + 1}>`;
  }

  #number(value: number, key: string): unknown {
    if (key === 'targetPort' && value === this.#facts.port) return '<port>';
    if ((key === 'nodePort' || key === 'healthCheckNodePort') && value >= 30_000 && !this.#facts.written.includes(String(value))) {
      return '<node-port>';
    }
    return value;
  }

  #string(text: string): string {
    let out = text;
    for (const [from, to] of this.#marks) {
      if (out.includes(from)) out = out.replaceAll(from, to);
    }
    out = out.replaceAll(new RegExp(`[\\w.-]+:${this.#facts.port}\\b`, 'g'), '<server>');
    out = out.replace(TOKEN, '<token>').replace(UID, (uid) => (this.#facts.written.includes(uid) ? uid : '<uid>'));
    out = out.replace(TIME, (time) =>
      Math.abs(Date.parse(time) - this.#facts.now()) > DAY_MS || this.#facts.written.includes(time)
        ? time
        : time.includes('.')
          ? '<micro-time>'
          : '<time>',
    );
    for (const prefix of this.#prefixes) {
      out = out.replaceAll(new RegExp(`(?<![\\w.-])${prefix}[a-z0-9]{5}(?![\\w<.-])`, 'g'), `${prefix}<suffix>`);
    }
    out = out.replace(/\.[0-9a-f]{16}\b/g, '.<event>').replace(/\bkube-api-access-[a-z0-9]{5}\b/g, 'kube-api-access-<suffix>');
    out = out
      .replace(/(ResourceVersion in (?:precondition|object meta): )\d+/g, '$1<rv>')
      .replace(/(too old resource version: \d+ \()\d+/g, '$1<rv>')
      .replace(/(, current: )\d+/g, '$1<rv>')
      .replace(/(ResourceVersion in record \(|\\?"resourceVersion\\?":\\?"|resourceVersion: ")\d+/g, '$1<rv>');
    return out;
  }
}

/** A table's cell without how long ago something was. */
function age(cell: string): string {
  return cell.replace(/^\d+(m\d*)?s$/, '<age>').replace(/\b\d+y(\d+d)?\b/, '<years>');
}

/** Managers by name, operation and subresource: their own order is that of seconds, so of chance. */
function byManager(entries: unknown): unknown {
  if (!Array.isArray(entries)) return entries;
  const name = ({ manager = '', operation = '', subresource = '' }: Readonly<Record<string, string>>): string => [manager, operation, subresource].join(' ');
  return (entries as Readonly<Record<string, string>>[]).toSorted((a, b) => (name(a) < name(b) ? -1 : 1));
}
