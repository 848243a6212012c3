import { Buffer } from 'node:buffer';
import type { Transport } from '../../client/transport.ts';
import { configMaps, secrets, serviceAccounts } from '../../client/resources.ts';
import { isCode, LongshoreError } from '../../lib/errors.ts';
import type { ConfigMap, KeyToPath, Pod, Secret, Volume, VolumeProjection } from '../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../types/kubernetes/meta.ts';
import { podField, resourceField } from './fields.ts';

/** One file of a volume that comes from the API. */
export interface PayloadFile {
  readonly data: Buffer;
  readonly mode: number;
}

/** Relative path to file. */
export type Payload = Map<string, PayloadFile>;

/** Where payloads come from. */
export interface PayloadSource {
  readonly transport: Transport;
  /** A token for the pod's service account; kept until it nears its end. */
  token(pod: Pod, audience: string | undefined, expirationSeconds: number, path: string): Promise<string>;
  /** What the node can give at most, for resource fields of containers without a limit. */
  readonly allocatable: () => { readonly milliCpu: number; readonly memory: number };
}

const DEFAULT_MODE = 0o644;

/** True for the kinds of volume whose files come from the API. */
export function hasPayload(volume: Volume): boolean {
  return Boolean(volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected);
}

/** Gathers the files of a volume. @throws LongshoreError `not-found`, `invalid` */
export async function payloadOf(source: PayloadSource, pod: Pod, volume: Volume): Promise<Payload> {
  const payload: Payload = new Map();
  if (volume.configMap) {
    const { name, items, optional, defaultMode } = volume.configMap;
    await addConfigMap(source, pod, payload, { name: name ?? '', items, optional }, defaultMode ?? DEFAULT_MODE);
  } else if (volume.secret) {
    const { secretName, items, optional, defaultMode } = volume.secret;
    await addSecret(source, pod, payload, { name: secretName ?? '', items, optional }, defaultMode ?? DEFAULT_MODE);
  } else if (volume.downwardAPI) {
    addFields(source, pod, payload, volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode ?? DEFAULT_MODE);
  } else if (volume.projected) {
    const mode = volume.projected.defaultMode ?? DEFAULT_MODE;
    for (const projection of volume.projected.sources ?? []) await addProjection(source, pod, payload, projection, mode);
  }
  return payload;
}

async function addProjection(source: PayloadSource, pod: Pod, payload: Payload, projection: VolumeProjection, mode: number): Promise<void> {
  if (projection.configMap) {
    await addConfigMap(source, pod, payload, { ...projection.configMap, name: projection.configMap.name ?? '' }, mode);
  } else if (projection.secret) {
    await addSecret(source, pod, payload, { ...projection.secret, name: projection.secret.name ?? '' }, mode);
  } else if (projection.downwardAPI) {
    addFields(source, pod, payload, projection.downwardAPI.items ?? [], mode);
  } else if (projection.serviceAccountToken) {
    const { audience, expirationSeconds, path } = projection.serviceAccountToken;
    const token = await source.token(pod, audience, expirationSeconds ?? 3600, path);
    // Readable for the pod's own user alone, unless a group of the volume has to share it.
    const shared =
      pod.spec?.securityContext?.fsGroup !== undefined ||
      pod.spec?.securityContext?.runAsUser !== undefined ||
      (pod.spec?.containers ?? []).some((container) => container.securityContext?.runAsUser !== undefined);
    put(payload, path, Buffer.from(token), shared ? 0o644 : mode);
  } else {
    throw new LongshoreError(
      'not-implemented',
      `a projected volume with ${Object.keys(projection).join(', ') || 'no source'} is not supported`,
      { object: podName(pod), remedy: 'Use configMap, secret, downwardAPI or serviceAccountToken.' },
    );
  }
}

interface KeysFrom { readonly name: string; readonly items?: readonly KeyToPath[] | undefined; readonly optional?: boolean | undefined }

async function addConfigMap(source: PayloadSource, pod: Pod, payload: Payload, from: KeysFrom, mode: number): Promise<void> {
  const found = await fetchOptional<ConfigMap>(source.transport, configMaps, pod, from);
  if (!found) return;
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(found.data ?? {})) data.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(found.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
  addKeys(pod, payload, `configmap "${from.name}"`, data, from, mode);
}

async function addSecret(source: PayloadSource, pod: Pod, payload: Payload, from: KeysFrom, mode: number): Promise<void> {
  const found = await fetchOptional<Secret>(source.transport, secrets, pod, from);
  if (!found) return;
  addKeys(
    pod,
    payload,
    `secret "${from.name}"`,
    new Map(Object.entries(found.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')])),
    from,
    mode,
  );
}

async function fetchOptional<T extends KubeObject>(
  transport: Transport,
  resource: typeof configMaps,
  pod: Pod,
  { name, optional }: KeysFrom,
): Promise<T | undefined> {
  try {
    return await transport.get<T>(resource, pod.metadata?.namespace, name);
  } catch (error) {
    if (isCode(error, 'not-found') && optional) return undefined;
    throw error;
  }
}

function addKeys(pod: Pod, payload: Payload, what: string, data: ReadonlyMap<string, Buffer>, { items, optional }: KeysFrom, mode: number): void {
  if (!items) {
    for (const [key, value] of data) put(payload, key, value, mode);
    return;
  }
  for (const item of items) {
    const value = data.get(item.key);
    if (value) {
      put(payload, item.path, value, item.mode ?? mode);
    } else if (!optional) {
      throw new LongshoreError('not-found', `${what} has no key "${item.key}"`, {
        object: podName(pod),
        remedy: 'Add the key, or mark the source as optional.',
      });
    }
  }
}

function addFields(
  source: PayloadSource,
  pod: Pod,
  payload: Payload,
  items: readonly {
    readonly path: string;
    readonly fieldRef?: { readonly fieldPath: string };
    readonly resourceFieldRef?: { readonly containerName?: string; readonly resource: string; readonly divisor?: string };
    readonly mode?: number;
  }[],
  mode: number,
): void {
  for (const { path, fieldRef, resourceFieldRef, mode: own } of items) {
    const text = fieldRef
      ? podField(pod, fieldRef.fieldPath)
      : resourceFieldRef
        ? resourceField(pod, resourceFieldRef.containerName ?? '', resourceFieldRef, source.allocatable())
        : '';
    put(payload, path, Buffer.from(text), own ?? mode);
  }
}

/** @throws `invalid` for a path that would leave the volume */
function put(payload: Payload, path: string, data: Buffer, mode: number): void {
  if (path === '' || path.startsWith('/') || path.split('/').includes('..')) {
    throw new LongshoreError('invalid', `a file of a volume can't be at "${path}"`, { remedy: 'Use a relative path without "..".' });
  }
  payload.set(path, { data, mode });
}

function podName(pod: Pod): string {
  return `pod ${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''}`;
}

/** Asks for tokens and keeps each until four fifths of its life are over. */
export function tokenSource(transport: Transport, now: () => number): PayloadSource['token'] {
  interface TokenRequest extends KubeObject { readonly spec: unknown; readonly status?: { readonly token: string; readonly expirationTimestamp: string } }
  const kept = new Map<string, { readonly token: string; readonly untilMs: number }>();
  return async (pod, audience, expirationSeconds, path) => {
    const { name = '', namespace, uid = '' } = pod.metadata ?? {};
    const id = `${uid} ${path} ${audience ?? ''}`;
    const known = kept.get(id);
    if (known && known.untilMs > now()) return known.token;
    const account = pod.spec?.serviceAccountName || 'default';
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { ...(audience && { audiences: [audience] }), expirationSeconds, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } },
    };
    const { status } = await transport.createSubresource<TokenRequest>(serviceAccounts, namespace, account, 'token', request);
    if (!status) {
      throw new LongshoreError('internal', `the API server gave no token for service account ${namespace}/${account}`, {
        object: podName(pod),
      });
    }
    if (kept.size > 10_000) for (const [old, { untilMs }] of kept) if (untilMs <= now()) kept.delete(old);
    kept.set(id, { token: status.token, untilMs: now() + (Date.parse(status.expirationTimestamp) - now()) * 0.8 });
    return status.token;
  };
}
