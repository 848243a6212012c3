import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { jsonEqual } from '../equal.ts';
import type { Draft, Strategy } from '../strategy.ts';
import { generalStrategy, keep, keepAllBut } from './general.ts';
import { podStrategy } from './pod.ts';

type Members = Record<string, unknown>;

/** Kinds that do more than the table says, by `group/resource`. */
const SPECIAL: Readonly<Record<string, (general: Strategy) => Strategy>> = {
  'core/pods': podStrategy,
  'core/events': (general) => ({ ...general, garbageCollected: false }),
  'events.k8s.io/events': (general) => ({ ...general, garbageCollected: false }),
  // A node tells its status when it registers.
  'core/nodes': (general) => ({ ...general, prepareForCreate: () => {} }),
  'core/namespaces': namespaceStrategy,
  'core/persistentvolumes': (general) =>
    withInitialStatus(general, (object) => ({ phase: 'Pending', lastPhaseTransitionTime: object.metadata.creationTimestamp })),
  'core/persistentvolumeclaims': (general) => withInitialStatus(general, () => ({ phase: 'Pending' })),
  'core/services': serviceStrategy,
  'apps/deployments': deploymentStrategy,
  'apps/daemonsets': daemonSetStrategy,
  'batch/jobs': jobStrategy,
  'certificates.k8s.io/certificatesigningrequests': csrStrategy,
  'apiextensions.k8s.io/customresourcedefinitions': crdStrategy,
  'discovery.k8s.io/endpointslices': (general) => ({
    ...general,
    changed: (object, old) => general.changed(object, old) || !jsonEqual(object.metadata.labels, old.metadata?.labels),
  }),
};

/** How each kind behaves when it is written. */
export function strategyOf(info: ResourceInfo): Strategy {
  const general = generalStrategy(info);
  const id = `${info.group === '' ? 'core' : info.group}/${info.resource}`;
  return Object.hasOwn(SPECIAL, id) ? SPECIAL[id]!(general) : general;
}

function withInitialStatus(general: Strategy, status: (object: Draft) => Members): Strategy {
  return {
    ...general,
    prepareForCreate(object) {
      object.status = status(object);
    },
  };
}

const NAME_LABEL = 'kubernetes.io/metadata.name';

function namespaceStrategy(general: Strategy): Strategy {
  const label = (object: Draft): void => {
    object.metadata.labels = { ...(object.metadata.labels as Members | undefined), [NAME_LABEL]: object.metadata.name };
  };
  return {
    ...general,
    prepareForCreate(object) {
      object.status = { phase: 'Active' };
      const spec = (object.spec ?? {}) as { finalizers?: readonly string[] };
      const finalizers = spec.finalizers ?? [];
      object.spec = { ...spec, finalizers: finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'] };
      label(object);
    },
    prepareForUpdate(object, old, subresource) {
      if (subresource === 'status') keepAllBut(object, old, 'status');
      else {
        keep(object, old, 'status');
        if (subresource !== 'finalize') {
          const spec = { ...(object.spec as Members | undefined) };
          keep(spec, (old as { spec?: object }).spec, 'finalizers');
          object.spec = spec;
        }
      }
      label(object);
    },
  };
}

function serviceStrategy(general: Strategy): Strategy {
  return {
    ...general,
    prepareForUpdate(object, old, subresource) {
      general.prepareForUpdate(object, old, subresource);
      const { type } = (object.spec ?? {}) as { type?: string };
      const balancer = (object.status as { loadBalancer?: { ingress?: unknown } } | undefined)?.loadBalancer;
      if (type !== 'LoadBalancer' && balancer?.ingress !== undefined) object.status = { ...(object.status as Members), loadBalancer: {} };
    },
  };
}

function deploymentStrategy(general: Strategy): Strategy {
  return {
    ...general,
    prepareForUpdate(object, old, subresource) {
      general.prepareForUpdate(object, old, subresource);
      if (subresource === 'status') keep(object.metadata, old.metadata, 'labels');
    },
    // Annotations count as well: they carry the cause of a change into the history of roll-outs.
    changed: (object, old) => general.changed(object, old) || !jsonEqual(object.metadata.annotations ?? {}, old.metadata?.annotations ?? {}),
  };
}

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

/** Counts changes of the template, in an annotation that old clients look at; nobody else sets it. */
function daemonSetStrategy(general: Strategy): Strategy {
  const count = (object: Draft, n: number): void => {
    object.metadata.annotations = { ...(object.metadata.annotations as Members | undefined), [TEMPLATE_GENERATION]: String(n) };
  };
  const counted = (object: KubeObject | Draft): number => Number((object.metadata as KubeObject['metadata'])?.annotations?.[TEMPLATE_GENERATION] ?? 0);
  const template = (object: object): unknown => (object as { spec?: { template?: unknown } }).spec?.template;
  return {
    ...general,
    prepareForCreate(object) {
      general.prepareForCreate(object);
      count(object, Math.max(counted(object), 1));
    },
    prepareForUpdate(object, old, subresource) {
      general.prepareForUpdate(object, old, subresource);
      const before = counted(old);
      count(object, subresource === undefined && !jsonEqual(template(object), template(old)) ? before + 1 : before);
    },
  };
}

const LEFT_PODS =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

function jobStrategy(general: Strategy): Strategy {
  return {
    ...general,
    orphansByDefault: LEFT_PODS,
    prepareForCreate(object) {
      general.prepareForCreate(object);
      const spec = (object.spec ?? {}) as { manualSelector?: boolean; selector?: { matchLabels?: Members }; template?: { metadata?: { labels?: Members } } };
      if (spec.manualSelector === true) return;
      const { name, uid } = object.metadata;
      const own = spec.template?.metadata?.labels ?? {};
      const labels = { 'job-name': name, 'batch.kubernetes.io/job-name': name, 'controller-uid': uid, 'batch.kubernetes.io/controller-uid': uid, ...own };
      // A job without labels of its own has those of its pods.
      if (jsonEqual(object.metadata.labels ?? {}, own) || object.metadata.labels === undefined) object.metadata.labels = { ...labels };
      object.spec = {
        ...spec,
        selector: { ...spec.selector, matchLabels: { 'batch.kubernetes.io/controller-uid': uid, ...spec.selector?.matchLabels } },
        template: { ...spec.template, metadata: { ...spec.template?.metadata, labels } },
      };
    },
  };
}

interface CsrStatus {
  conditions?: readonly { readonly type?: string }[];
  certificate?: string;
}

/** What a request asks for never changes; approving is one thing, issuing another. */
function csrStrategy(general: Strategy): Strategy {
  const decided = (condition: { readonly type?: string }): boolean => condition.type === 'Approved' || condition.type === 'Denied';
  return {
    ...general,
    prepareForUpdate(object, old, subresource) {
      const before = ((old as { status?: CsrStatus }).status ?? {});
      const now = (object.status ?? {}) as CsrStatus;
      keepAllBut(object, old, 'status');
      if (subresource === 'approval') {
        object.status = { ...before, conditions: now.conditions ?? [] };
      } else if (subresource === 'status') {
        object.status = {
          ...now,
          conditions: [...(before.conditions ?? []).filter(decided), ...(now.conditions ?? []).filter((condition) => !decided(condition))],
        };
      } else {
        keep(object, old, 'status');
      }
    },
  };
}

function crdStrategy(general: Strategy): Strategy {
  return {
    ...general,
    prepareForCreate(object) {
      const { versions = [] } = (object.spec ?? {}) as { versions?: readonly { name?: string; storage?: boolean }[] };
      object.status = { storedVersions: versions.filter((version) => version.storage).map((version) => version.name) };
    },
    prepareForUpdate(object: Draft, old: KubeObject, subresource: string | undefined) {
      general.prepareForUpdate(object, old, subresource);
      if (subresource === 'status') return;
      const { versions = [] } = (object.spec ?? {}) as { versions?: readonly { name?: string; storage?: boolean }[] };
      const status = (object.status ?? {}) as { storedVersions?: readonly string[] };
      const stored = versions.find((version) => version.storage)?.name;
      if (stored !== undefined && !(status.storedVersions ?? []).includes(stored)) {
        object.status = { ...status, storedVersions: [...(status.storedVersions ?? []), stored] };
      }
    },
  };
}
