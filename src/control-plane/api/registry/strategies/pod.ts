import { quantityToMilli } from '../../../../types/kubernetes/quantity.ts';
import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { Draft, Strategy } from '../strategy.ts';
import { keep, keepAllBut, keepUserMetadata } from './general.ts';

type Resources = { readonly requests?: Readonly<Record<string, string>>; readonly limits?: Readonly<Record<string, string>> };

interface Container {
  readonly name?: string;
  readonly resources?: Resources;
  readonly resizePolicy?: unknown;
}

interface PodSpec {
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly ephemeralContainers?: readonly unknown[];
  readonly schedulingGates?: readonly unknown[];
  readonly resources?: Resources;
}

/** Guaranteed, Burstable or BestEffort: how much of what it uses a pod was promised. */
export function qosClass(spec: PodSpec): string {
  const containers: Container[] =
    spec.resources === undefined || Object.keys(spec.resources).length === 0
      ? [...(spec.containers ?? []), ...(spec.initContainers ?? [])]
      : [{ resources: spec.resources }];
  let any = false;
  let guaranteed = true;
  for (const { resources = {} } of containers) {
    for (const name of ['cpu', 'memory']) {
      const request = amount(resources.requests?.[name]);
      const limit = amount(resources.limits?.[name]);
      if (request > 0 || limit > 0) any = true;
      if (limit === 0 || (request > 0 && request !== limit)) guaranteed = false;
    }
  }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function amount(quantity: string | undefined): number {
  return quantity === undefined ? 0 : quantityToMilli(quantity);
}

export function podStrategy(general: Strategy): Strategy {
  return {
    ...general,
    prepareForCreate(object: Draft): void {
      const spec = (object.spec ?? {}) as PodSpec;
      const gated = (spec.schedulingGates ?? []).length > 0;
      object.status = {
        phase: 'Pending',
        qosClass: qosClass(spec),
        ...(gated && {
          conditions: [
            {
              type: 'PodScheduled',
              status: 'False',
              lastProbeTime: null,
              lastTransitionTime: object.metadata.creationTimestamp,
              reason: 'SchedulingGated',
              message: 'Scheduling is blocked due to non-empty scheduling gates',
            },
          ],
        }),
      };
    },
    prepareForUpdate(object: Draft, old: KubeObject, subresource: string | undefined): void {
      const before = old as KubeObject & { spec?: PodSpec; status?: { qosClass?: string } };
      switch (subresource) {
        case 'status':
          keepAllBut(object, old, 'status');
          keep(object.metadata, old.metadata, 'ownerReferences');
          if (before.status?.qosClass !== undefined) {
            object.status = { qosClass: before.status.qosClass, ...(object.status as object | undefined) };
          }
          return;
        case 'ephemeralcontainers': {
          const { ephemeralContainers } = (object.spec ?? {}) as PodSpec;
          keepAllBut(object, old, '');
          keepUserMetadata(object, old);
          object.spec = { ...before.spec, ...(ephemeralContainers && { ephemeralContainers }) };
          return;
        }
        case 'resize':
          resize(object, before);
          return;
        default:
          keep(object, old, 'status');
      }
    },
  };
}

/** Takes the resources of the containers and nothing else. Containers that were added, removed or renamed are left for validation to refuse. */
function resize(object: Draft, old: KubeObject & { spec?: PodSpec }): void {
  const spec = (object.spec ?? {}) as PodSpec;
  const merged = (now: readonly Container[] | undefined, before: readonly Container[] | undefined): readonly Container[] | undefined => {
    if (now?.length !== before?.length || now?.some((container, at) => container.name !== before![at]!.name)) return undefined;
    return before?.map((container, at) => {
      const { resources, resizePolicy, ...rest } = container;
      return { ...rest, ...pick(now![at]!, 'resources'), ...pick(now![at]!, 'resizePolicy') };
    });
  };
  const containers = merged(spec.containers, old.spec?.containers);
  const initContainers = merged(spec.initContainers, old.spec?.initContainers);
  keep(object, old, 'status');
  keepUserMetadata(object, old);
  if (containers === undefined || (spec.initContainers !== undefined && initContainers === undefined)) return;
  object.spec = { ...old.spec, containers, ...(initContainers && { initContainers }), ...pick(spec, 'resources') };
}

/** The member, when it is there. */
function pick(source: object, key: string): Record<string, unknown> {
  const value = (source as Record<string, unknown>)[key];
  return value === undefined ? {} : { [key]: value };
}
