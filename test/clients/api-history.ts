/** What clients were told of ConfigMaps, and whether an API server that was killed meanwhile agrees. */
import assert from 'node:assert/strict';
import { configMaps } from '../../src/client/resources.ts';
import type { ObjectList, Transport, WatchEventType } from '../../src/client/transport.ts';
import type { ConfigMap } from '../../src/types/kubernetes/generated/core-v1.ts';
import { StatusError } from '../../src/types/kubernetes/status.ts';
import { eventually } from './platform.ts';

export const NAMESPACE = 'default';

/** An object as it stands; undefined: it is not there. */
type State = { readonly value: string; readonly version: number } | undefined;

/** One object as its only writer knows it. */
interface Known {
  acknowledged: State;
  /** A write whose answer never came: it may have happened or not. */
  open: { readonly value: string | undefined } | undefined;
}

type Verb = 'create' | 'update' | 'patch' | 'delete';

/** One write and its answer, for the watch's test. */
interface Acknowledged { readonly name: string; readonly version: number; readonly value: string }

const stateOf = (object: ConfigMap | undefined): State =>
  object === undefined ? undefined : { value: object.data?.value ?? '', version: Number(object.metadata?.resourceVersion) };

/** Clients that write, each its own objects, and note each answer. */
export class History {
  readonly #known = new Map<string, Known>();
  readonly #answers: Acknowledged[] = [];
  readonly #random: () => number;
  #newest = 0;
  #counter = 0;
  writes = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  get newest(): number {
    return this.#newest;
  }

  /** Writes until the server is gone. */
  async write(transport: Transport, client: number): Promise<void> {
    for (;;) {
      const name = `c${client}-${Math.floor(this.#random() * 8)}`;
      const known = this.#known.get(name) ?? { acknowledged: undefined, open: undefined };
      this.#known.set(name, known);
      const verbs: readonly Verb[] = known.acknowledged === undefined ? ['create'] : ['update', 'patch', 'patch', 'delete'];
      const verb = verbs[Math.floor(this.#random() * verbs.length)]!;
      const value = verb === 'delete' ? undefined : `${++this.#counter}-${'x'.repeat(Math.floor(this.#random() * 300))}`;
      known.open = { value };
      let answer: ConfigMap | undefined;
      try {
        answer = await send(transport, verb, name, known.acknowledged, value);
      } catch (error) {
        // The server refused it: no kill explains that.
        if (error instanceof StatusError) throw error;
        return;
      }
      known.open = undefined;
      known.acknowledged = stateOf(answer);
      this.writes++;
      if (known.acknowledged === undefined) continue;
      const { version } = known.acknowledged;
      assert.equal(known.acknowledged.value, value);
      this.#newest = Math.max(this.#newest, version);
      this.#answers.push({ name, version, value: value! });
    }
  }

  /** Every acknowledged write is there, nothing deleted is, and revisions have not gone back. What was left open is settled by what is found. */
  check(list: ObjectList<ConfigMap>): void {
    const revision = Number(list.metadata.resourceVersion);
    assert.ok(revision >= this.#newest, `the server is at revision ${revision}, but ${this.#newest} was acknowledged`);
    this.#newest = revision;
    const found = new Map(list.items.map((object) => [object.metadata?.name ?? '', stateOf(object)]));
    for (const [name, known] of this.#known) {
      const state = found.get(name);
      const open = known.open;
      known.open = undefined;
      if (
        open !== undefined &&
        state?.value === open.value &&
        (state === undefined || state.version > (known.acknowledged?.version ?? 0))
      ) {
        known.acknowledged = state;
      }
      assert.deepEqual(state, known.acknowledged, `${name} is not what was acknowledged`);
    }
  }

  /** Every acknowledged version was seen by the watch, with its value. */
  checkWatch(watch: Watched): void {
    for (const { name, version, value } of this.#answers.splice(0)) {
      assert.deepEqual(watch.seen.get(version), { name, value }, `the watch has missed revision ${version}`);
    }
  }
}

async function send(
  transport: Transport,
  verb: Verb,
  name: string,
  known: State,
  value: string | undefined,
): Promise<ConfigMap | undefined> {
  const body: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, ...(known && { resourceVersion: String(known.version) }) },
    data: { value: value ?? '' },
  };
  switch (verb) {
    case 'create': return transport.create(configMaps, NAMESPACE, { ...body, metadata: { name } });
    case 'update': return transport.update(configMaps, NAMESPACE, name, body);
    case 'patch': return transport.patch<ConfigMap>(configMaps, NAMESPACE, name, 'merge', { data: { value } });
    default:
      await transport.delete(configMaps, NAMESPACE, name);
      return undefined;
  }
}

/** A watch that goes on, after each kill, from the last version that it has seen. */
export class Watched {
  readonly seen = new Map<number, { readonly name: string; readonly value: string | undefined }>();
  readonly #objects = new Map<string, State>();
  #last = 0;
  #failure: unknown;

  /** Begins with the objects of a list. */
  start(list: ObjectList<ConfigMap>): void {
    this.#last = Number(list.metadata.resourceVersion);
    for (const object of list.items) this.#objects.set(object.metadata?.name ?? '', stateOf(object));
  }

  /** @returns the undo */
  resume(transport: Transport): () => void {
    return transport.watch<ConfigMap>(configMaps, NAMESPACE, { resourceVersion: String(this.#last) }, {
      event: (type, object) => this.#event(type, object),
      ended: (error) => {
        // A kill ends it with an error of the network; the server itself has no reason to.
        if (error instanceof StatusError) this.#failure ??= error;
      },
    });
  }

  #event(type: WatchEventType, object: ConfigMap): void {
    const version = Number(object.metadata?.resourceVersion);
    const name = object.metadata?.name ?? '';
    const before = this.#objects.get(name);
    if (version <= this.#last) this.#failure ??= new Error(`revision ${version} comes after ${this.#last}`);
    if ((type === 'ADDED') !== (before === undefined)) {
      this.#failure ??= new Error(`${type} of ${name}, which ${before === undefined ? 'was not' : 'was'} there`);
    }
    this.#last = version;
    const state = type === 'DELETED' ? undefined : stateOf(object);
    if (state === undefined) this.#objects.delete(name);
    else this.#objects.set(name, state);
    this.seen.set(version, { name, value: state?.value });
  }

  /** Waits until what the events add up to is what the list says. */
  async agrees(list: ObjectList<ConfigMap>, ms = 5000): Promise<void> {
    const wanted = new Map(list.items.map((object) => [object.metadata?.name ?? '', stateOf(object)]));
    await eventually('the watch adds up to the list', () => {
      assert.deepEqual(this.#objects, wanted);
      return true;
    }, ms);
    if (this.#failure !== undefined) throw this.#failure;
  }
}
