import type { Informer } from '../../../client/informer.ts';
import { matchesMap, type Labels } from '../../../client/label-selector.ts';
import type { Pod, Service } from '../../../types/kubernetes/generated/core-v1.ts';
import { semanticEqual } from '../shared/equal.ts';
import { isReady } from '../shared/pods.ts';
import { hasEndpoint } from './pod-endpoint.ts';

const BY_LABEL = 'label';
const BY_SELECTOR = 'selector';

const pair = (namespace: string | undefined, key: string, value: string): string => `${namespace ?? ''}\0${key}\0${value}`;

/** Which pods a Service selects, and the reverse; through indexes, so that neither costs a walk over all. */
export class ServiceSelection {
  readonly #pods: Informer<Pod>;
  readonly #services: Informer<Service>;

  constructor(pods: Informer<Pod>, services: Informer<Service>) {
    this.#pods = pods;
    this.#services = services;
    pods.addIndex(BY_LABEL, ({ metadata }) => pairsOf(metadata?.namespace, metadata?.labels));
    // One term of the selector is enough to find the service by.
    services.addIndex(BY_SELECTOR, ({ metadata, spec }) => pairsOf(metadata?.namespace, spec?.selector)[0]);
  }

  /** Tells which services' endpoints a change of a pod may change, by their keys. */
  follow(concerned: (serviceKey: string) => void): void {
    const wake = (pod: Pod): void => {
      // A pod without an address is nobody's endpoint yet.
      if (!pod.status?.podIP && !pod.status?.podIPs?.length) return;
      for (const key of this.servicesOf(pod)) concerned(key);
    };
    const update = (old: Pod, pod: Pod): void => {
      const moved = !semanticEqual(old.metadata?.labels, pod.metadata?.labels);
      if (!moved && sameEndpoint(old, pod)) return;
      if (moved) wake(old);
      wake(pod);
    };
    this.#pods.on({ add: wake, update, delete: wake });
  }

  *podsOf(service: Service): Generator<Pod> {
    const selector = service.spec?.selector;
    const pairs = pairsOf(service.metadata?.namespace, selector);
    let best: string | undefined;
    for (const candidate of pairs) {
      if (best === undefined || this.#pods.store.countByIndex(BY_LABEL, candidate) < this.#pods.store.countByIndex(BY_LABEL, best)) {
        best = candidate;
      }
    }
    if (best === undefined) return;
    for (const pod of this.#pods.store.byIndex(BY_LABEL, best)) if (matchesMap(selector, pod.metadata?.labels)) yield pod;
  }

  /** Keys of the services that select the pod. */
  *servicesOf(pod: Pod): Generator<string> {
    const { namespace, labels } = pod.metadata ?? {};
    for (const key in labels) {
      for (const service of this.#services.store.byIndex(BY_SELECTOR, pair(namespace, key, labels[key]!))) {
        if (matchesMap(service.spec?.selector, labels)) yield `${namespace}/${service.metadata!.name}`;
      }
    }
  }
}

/** What an endpoint tells of a pod is the same for both. */
function sameEndpoint(old: Pod, pod: Pod): boolean {
  return (
    hasEndpoint(old) === hasEndpoint(pod) &&
    isReady(old) === isReady(pod) &&
    old.metadata?.deletionTimestamp === pod.metadata?.deletionTimestamp &&
    old.spec?.nodeName === pod.spec?.nodeName &&
    semanticEqual(old.status?.podIPs, pod.status?.podIPs)
  );
}

function pairsOf(namespace: string | undefined, labels: Labels | undefined): string[] {
  return Object.entries(labels ?? {}).map(([key, value]) => pair(namespace, key, value));
}
