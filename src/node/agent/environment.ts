import { configMaps, secrets } from '../../client/resources.ts';
import type { Transport } from '../../client/transport.ts';
import { isCode, LongshoreError } from '../../lib/errors.ts';
import type { ConfigMap, Container, EnvVar, Pod, Secret, Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../types/kubernetes/meta.ts';
import { podField, resourceField } from '../volumes/fields.ts';
import { expand } from './expand.ts';

export interface EnvironmentSource {
  readonly transport: Pick<Transport, 'get'>;
  /** Services that get variables: those of the pod's namespace, and `kubernetes` of default. */
  readonly services: (namespace: string) => Iterable<Service>;
  readonly allocatable: () => { readonly milliCpu: number; readonly memory: number };
  readonly nodeAddress: string;
}

/**
 * A container's environment, in order: Services, `envFrom`, `env`, with
 * `$(NAME)` expanded from what came before.
 * @throws LongshoreError `not-found` naming the ConfigMap, Secret or key that is missing
 */
export async function environmentOf(source: EnvironmentSource, pod: Pod, podIp: string, container: Container): Promise<{ key: string; value: string }[]> {
  const result = new Map<string, string>();
  const namespace = pod.metadata?.namespace ?? '';
  if (pod.spec?.enableServiceLinks ?? true) for (const service of source.services(namespace)) addService(result, service);
  else for (const service of source.services('default')) if (service.metadata?.name === 'kubernetes') addService(result, service);
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef) {
      const found = await fetch<ConfigMap>(source, pod, configMaps, configMapRef.name ?? '', configMapRef.optional);
      for (const [key, value] of Object.entries(found?.data ?? {})) if (isVariableName(prefix + key)) result.set(prefix + key, value);
    } else if (secretRef) {
      const found = await fetch<Secret>(source, pod, secrets, secretRef.name ?? '', secretRef.optional);
      for (const [key, value] of Object.entries(found?.data ?? {})) {
        if (isVariableName(prefix + key)) {
          result.set(prefix + key, decode(value));
        }
      }
    }
  }
  for (const variable of container.env ?? []) {
    const value = variable.valueFrom ? await fromSource(source, pod, podIp, container, variable) : expand(variable.value ?? '', (name) => result.get(name));
    if (value === undefined) continue;
    result.set(variable.name, value);
  }
  return [...result].map(([key, value]) => ({ key, value }));
}

async function fromSource(source: EnvironmentSource, pod: Pod, podIp: string, container: Container, { valueFrom }: EnvVar): Promise<string | undefined> {
  if (valueFrom?.fieldRef) {
    const { fieldPath } = valueFrom.fieldRef;
    // The API learns the addresses only after the container has started.
    if (podIp && (fieldPath === 'status.podIP' || fieldPath === 'status.podIPs')) return podIp;
    if (fieldPath === 'status.hostIP' || fieldPath === 'status.hostIPs') return source.nodeAddress;
    return podField(pod, fieldPath);
  }
  if (valueFrom?.resourceFieldRef) {
    return resourceField(pod, valueFrom.resourceFieldRef.containerName || container.name, valueFrom.resourceFieldRef, source.allocatable());
  }
  if (valueFrom?.configMapKeyRef) {
    const { name = '', key, optional } = valueFrom.configMapKeyRef;
    return required((await fetch<ConfigMap>(source, pod, configMaps, name, optional))?.data?.[key], 'configmap', pod, name, key, optional);
  }
  if (valueFrom?.secretKeyRef) {
    const { name = '', key, optional } = valueFrom.secretKeyRef;
    const value = required((await fetch<Secret>(source, pod, secrets, name, optional))?.data?.[key], 'secret', pod, name, key, optional);
    return value === undefined ? undefined : decode(value);
  }
  throw new LongshoreError('not-implemented', `environment from ${Object.keys(valueFrom ?? {}).join(', ')} is not supported`, {
    object: `container ${container.name}`,
  });
}

function required(value: string | undefined, kind: string, pod: Pod, name: string, key: string, optional: boolean | undefined): string | undefined {
  if (value !== undefined || optional) return value;
  throw new LongshoreError(
    'not-found',
    `couldn't find key ${key} in ${kind === 'secret' ? 'Secret' : 'ConfigMap'} ${pod.metadata?.namespace}/${name}`,
    { remedy: 'Add the key, or mark the reference as optional.' },
  );
}

async function fetch<T extends KubeObject>(
  source: EnvironmentSource,
  pod: Pod,
  resource: typeof configMaps,
  name: string,
  optional: boolean | undefined,
): Promise<T | undefined> {
  try {
    return await source.transport.get<T>(resource, pod.metadata?.namespace, name);
  } catch (error) {
    if (isCode(error, 'not-found') && optional) return undefined;
    throw error;
  }
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}

/** Anything printable but `=`, as Kubernetes 1.36 takes it. */
function isVariableName(name: string): boolean {
  return /^[ -<>-~]+$/.test(name);
}

/** The variables that Docker links once gave: NAME_SERVICE_HOST, NAME_PORT_80_TCP_ADDR, … */
function addService(into: Map<string, string>, { metadata, spec }: Service): void {
  const ip = spec?.clusterIP;
  const ports = spec?.ports ?? [];
  if (!ip || ip === 'None' || ports.length === 0) return;
  const name = (metadata?.name ?? '').toUpperCase().replaceAll('-', '_');
  into.set(`${name}_SERVICE_HOST`, ip);
  into.set(`${name}_SERVICE_PORT`, String(ports[0]!.port));
  for (const port of ports) {
    if (port.name) {
      into.set(`${name}_SERVICE_PORT_${port.name.toUpperCase().replaceAll('-', '_')}`, String(port.port));
    }
  }
  ports.forEach((port, at) => {
    const protocol = port.protocol ?? 'TCP';
    const url = `${protocol.toLowerCase()}://${ip}:${port.port}`;
    const prefix = `${name}_PORT_${port.port}_${protocol}`;
    if (at === 0) into.set(`${name}_PORT`, url);
    into.set(prefix, url);
    into.set(`${prefix}_PROTO`, protocol.toLowerCase());
    into.set(`${prefix}_PORT`, String(port.port));
    into.set(`${prefix}_ADDR`, ip);
  });
}
