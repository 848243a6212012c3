import { StatusError } from '../../../../types/kubernetes/status.ts';
import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import { randomInt } from '../../../../lib/random.ts';
import type { StoredObject } from '../../contract.ts';
import { encodeJson } from '../../codec/json.ts';
import { statusOf } from '../../errors.ts';
import { nameInFieldSelector } from '../../field-terms.ts';
import { notAcceptable, type Wanted } from '../accept.ts';
import type { BodyStream } from '../exchange.ts';
import { watchParameters } from '../options.ts';
import type { ApiRequest } from '../request.ts';
import { negotiate, type Door } from './door.ts';

/** A watch that names no end gets one between these, so that watches spread over time (seconds). */
const SHORTEST_S = 1800;
/** A client that leaves so much unread is cut off: it lists again when it comes back. */
const MAX_PENDING_BYTES = 32 * 1024 * 1024;

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';

const OPEN = {
  ADDED: '{"type":"ADDED","object":',
  MODIFIED: '{"type":"MODIFIED","object":',
  DELETED: '{"type":"DELETED","object":',
  BOOKMARK: '{"type":"BOOKMARK","object":',
} as const;
/** The frame of an event, shared by all that watch it plainly. */
const frames = new WeakMap<StoredObject, Map<EventType, Buffer>>();

/** A stream of events, one JSON object a line (HTTP/1.1 chunked, or HTTP/2 data), until timeout, error, or either side goes. */
export function watch(door: Door, request: ApiRequest): void {
  const wanted = negotiate(door, request);
  if (wanted.format === 'yaml' || (wanted.format === 'protobuf' && wanted.as !== undefined)) throw notAcceptable();
  const { exchange, route, target } = request;
  const parameters = watchParameters(target.query);
  const name = route.name ?? nameInFieldSelector(parameters.fieldSelector);
  let body: BodyStream | undefined = undefined;
  const early: Buffer[] = [];
  let over = false;
  let stop: (() => void) | undefined = undefined;
  let cancelTimer: (() => void) | undefined = undefined;
  let first = true;

  const finish = (): void => {
    if (over) return;
    over = true;
    cancelTimer?.();
    door.stopping.removeEventListener('abort', finish);
    stop?.();
    body?.end();
  };
  const send = (frame: Buffer): void => {
    if (body === undefined) {
      early.push(frame);
      return;
    }
    body.write(frame);
    if (body.pending > MAX_PENDING_BYTES) {
      body.abort();
      finish();
    }
  };

  let failed: Error | undefined;
  stop = begin(() => door.registry.watch(request.context, request.resource, route.namespace, { ...parameters, ...(name !== undefined && { name }) }, {
    event(type, object) {
      if (over) return;
      send(frameOf(door, request, wanted, type, object, first));
      if (type !== 'BOOKMARK') first = false;
    },
    ended(error) {
      if (over) return;
      if (error !== undefined) {
        failed = error;
        if (body !== undefined) send(errorFrame(door, request, wanted, error));
      }
      if (body !== undefined) finish();
      else over = true;
    },
  }));
  // Nothing has gone out yet: what the registry refuses at once is an answer of its own, but for a revision that is too old.
  if (failed !== undefined && !(failed instanceof StatusError && failed.status.code === 410)) throw failed;
  body = exchange.stream(200, [
    ...request.headers,
    'Content-Type',
    wanted.format === 'protobuf' ? 'application/vnd.kubernetes.protobuf;stream=watch' : 'application/json',
  ]);
  for (const frame of early.splice(0)) body.write(frame);
  if (over) {
    if (failed !== undefined) body.write(errorFrame(door, request, wanted, failed));
    body.end();
    return;
  }
  exchange.onClose(finish);
  door.stopping.addEventListener('abort', finish, { once: true });
  cancelTimer = door.clock.after((parameters.timeoutSeconds ?? SHORTEST_S + randomInt(door.random, SHORTEST_S)) * 1000, finish);
}

/** A version that is no number is, to upstream's watch, an error of its own. */
function begin(start: () => () => void): () => void {
  try {
    return start();
  } catch (error) {
    if (error instanceof StatusError && error.status.code === 400 && error.message.startsWith('resourceVersion: Invalid value')) {
      const { reason: _, ...status } = error.status;
      throw new StatusError({ ...status, code: 500 });
    }
    throw error;
  }
}

function frameOf(door: Door, request: ApiRequest, wanted: Wanted, type: EventType, object: StoredObject, first: boolean): Buffer {
  if (wanted.format === 'protobuf') return door.representation.protobufFrame(request, type, object.object);
  if (wanted.as !== undefined) {
    return frame(
      type,
      type === 'BOOKMARK' && wanted.as === 'Table'
        ? tableBookmark(object.object)
        : door.representation.eventBody(request, wanted, object, first),
    );
  }
  let known = frames.get(object);
  if (known === undefined) frames.set(object, (known = new Map()));
  let out = known.get(type);
  if (out === undefined) known.set(type, (out = frame(type, object.json())));
  return out;
}

function frame(type: EventType, body: Buffer): Buffer {
  const open = OPEN[type];
  const out = Buffer.allocUnsafe(open.length + body.length + 2);
  out.write(open, 0, 'latin1');
  body.copy(out, open.length);
  out[out.length - 2] = 0x7d;
  out[out.length - 1] = 0x0a;
  return out;
}

/** A Table without columns or rows, that carries the version alone. */
function tableBookmark(object: KubeObject): Buffer {
  const { resourceVersion, annotations } = object.metadata ?? {};
  return encodeJson({
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion },
    columnDefinitions: null,
    rows: [
      {
        cells: [],
        object: {
          kind: 'PartialObjectMetadata',
          apiVersion: 'meta.k8s.io/v1',
          metadata: { resourceVersion, ...(annotations && { annotations }) },
        },
      },
    ],
  });
}

function errorFrame(door: Door, request: ApiRequest, wanted: Wanted, error: Error): Buffer {
  const status = statusOf(error);
  if (wanted.format === 'protobuf') return door.representation.protobufFrame(request, 'ERROR', status);
  return Buffer.from(`{"type":"ERROR","object":${JSON.stringify(status)}}\n`);
}
