import type { ServerResponse } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { LongshoreError } from '../../lib/errors.ts';
import type { ContainerEvent, Containers } from '../containers/containers.ts';
import type { Images } from '../images/images.ts';
import type { Networks } from '../network/network.ts';
import { JsonLines } from './answers.ts';
import type { ApiRequest, Filters } from './request.ts';

export interface ApiEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  readonly time: number;
  readonly timeNano: number;
  /** Older forms of the same, for containers and images. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
}

/** So many past events can be asked for. */
const KEPT = 256;
/** A listener that is so far behind has gone astray. */
const LARGEST_BACKLOG = 4096;

/** What there is to listen to. */
export interface EventSources {
  readonly containers: Pick<Containers, 'onEvent'>;
  readonly images: Pick<Images, 'onEvent'>;
  readonly networks: Pick<Networks, 'list'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** Gathers what happens in the engine, and keeps the last of it. */
export class EventHub {
  readonly #past: ApiEvent[] = [];
  readonly #listeners = new Set<(event: ApiEvent) => void>();
  readonly #now: () => number;
  readonly #undo: (() => void | Promise<void>)[] = [];
  readonly #connected = new Map<string, readonly { readonly networkId: string }[]>();
  readonly #networkNames = new Map<string, string>();
  #lastNano = 0;

  constructor(options: EventSources) {
    this.#now = () => options.clock.now();
    this.#undo.push(options.containers.onEvent((event) => this.#container(event)));
    void options.networks.list().then((networks) => {
      for (const { id, name } of networks) this.#networkNames.set(id, name);
    });
    this.#undo.push(options.images.onEvent((event) => this.emit('image', event.action, event.id, event.name === undefined ? {} : { name: event.name })));
  }

  emit(type: string, action: string, id: string, attributes: Readonly<Record<string, string>>): void {
    if (type === 'network' && attributes['name'] !== undefined) {
      if (action === 'destroy') this.#networkNames.delete(id);
      else this.#networkNames.set(id, attributes['name']);
    }
    const ms = this.#now();
    // Events of the same millisecond keep their order by their nanoseconds, as far as a double tells them apart.
    this.#lastNano = Math.max(ms * 1e6, this.#lastNano + 256);
    const event: ApiEvent = {
      ...(type === 'container' ? { status: action, id, from: attributes['image'] ?? '' } : type === 'image' ? { status: action, id } : {}),
      Type: type, Action: action, Actor: { ID: id, Attributes: attributes }, scope: 'local', time: Math.floor(ms / 1000), timeNano: this.#lastNano,
    };
    this.#past.push(event);
    if (this.#past.length > KEPT) this.#past.shift();
    for (const listener of this.#listeners) listener(event);
  }

  #container(event: ContainerEvent): void {
    const { container } = event;
    const attributes = { ...container.spec.labels, ...event.attributes, image: container.spec.image.name, name: container.name };
    if (event.action === 'start') {
      this.#connected.set(container.id, container.endpoints);
      for (const endpoint of container.endpoints) {
        this.emit('network', 'connect', endpoint.networkId, this.#joined(container.id, endpoint.networkId));
      }
    }
    this.emit('container', event.action, container.id, attributes);
    if (event.action === 'die') {
      for (const endpoint of this.#connected.get(container.id) ?? []) {
        this.emit('network', 'disconnect', endpoint.networkId, this.#joined(container.id, endpoint.networkId));
      }
      this.#connected.delete(container.id);
    }
  }

  #joined(container: string, networkId: string): Record<string, string> {
    const name = this.#networkNames.get(networkId);
    return { container, ...(name === undefined ? {} : { name }), type: 'bridge' };
  }

  /** Past events since a moment (ms), and, until undone, what comes. */
  listen(sinceMs: number | undefined, listener: (event: ApiEvent) => void): () => void {
    if (sinceMs !== undefined) for (const event of this.#past) if (event.timeNano / 1e6 >= sinceMs) listener(event);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) void undo();
    this.#listeners.clear();
  }
}

/** Seconds since the epoch with a fraction, or RFC 3339, in milliseconds. @throws `invalid` */
export function parseTime(text: string | null, name: string): number | undefined {
  if (text === null || text === '' || text === '0') return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new LongshoreError('invalid', `invalid value for ${name}: "${text}" is not a time`);
  return ms;
}

/** `GET /events`: a stream of JSON objects, from `since` (if given) to `until` (if given). */
export async function streamEvents(hub: EventHub, clock: Clock, request: ApiRequest, response: ServerResponse): Promise<void> {
  const since = parseTime(request.query.get('since'), 'since');
  const until = parseTime(request.query.get('until'), 'until');
  if (since !== undefined && until !== undefined && until < since) {
    throw new LongshoreError('invalid', '`since` time cannot be after `until` time');
  }
  const filters = request.filters();
  const lines = new JsonLines(response);
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  await new Promise<void>((resolve) => {
    let waiting = 0;
    const undo = hub.listen(since, (event) => {
      if (until !== undefined && event.timeNano / 1e6 > until) return;
      if (!matches(event, filters)) return;
      const full = lines.send(event);
      if (full === undefined) return;
      if (++waiting > LARGEST_BACKLOG) response.destroy();
      void full.then(() => (waiting = 0));
    });
    const cancel = until === undefined ? undefined : clock.after(until - clock.now(), finish);
    function finish(): void {
      undo();
      cancel?.();
      resolve();
    }
    request.signal.addEventListener('abort', finish, { once: true });
  });
  response.end();
}

function matches(event: ApiEvent, filters: Filters): boolean {
  const { ID, Attributes } = event.Actor;
  const named = (type: string) => (wanted: string) => event.Type === type && (ID === wanted || Attributes['name'] === wanted || ID.startsWith(wanted));
  return (
    filters.allows('type', event.Type) &&
    filters.some('event', (wanted) => event.Action === wanted || event.Action.startsWith(`${wanted}:`)) &&
    filters.allows('scope', event.scope) &&
    filters.labels(Attributes) &&
    filters.some('container', (wanted) => named('container')(wanted) || Attributes['container']?.startsWith(wanted) === true) &&
    filters.some('network', named('network')) &&
    filters.some('volume', named('volume')) &&
    filters.some('image', (wanted) => named('image')(wanted) || (event.Type === 'container' && sameImage(Attributes['image'], wanted))) &&
    !filters.has('daemon') && !filters.has('service') && !filters.has('node') && !filters.has('secret') && !filters.has('config') && !filters.has('plugin')
  );
}

function sameImage(image: string | undefined, wanted: string): boolean {
  return image === wanted || image?.replace(/:[^:/]+$/, '') === wanted;
}
