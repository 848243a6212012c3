import type { PodAffinityTerm } from '../../../types/kubernetes/generated/core-v1.ts';
import { refuse, type Filter, type NodeCheck, type SchedulingContext } from '../filter.ts';
import type { PodInfo } from '../model.ts';
import { termMatcher } from '../pod-terms.ts';

const EXISTING_ANTI = refuse("node(s) didn't satisfy existing pods anti-affinity rules", true);
const OWN_ANTI = refuse("node(s) didn't match pod anti-affinity rules", true);
const OWN = refuse("node(s) didn't match pod affinity rules");

/** Values of the term's topology key under which a matching pod runs. */
function domains(term: PodAffinityTerm, pod: PodInfo, context: SchedulingContext): Set<string> {
  const matches = termMatcher(term, pod, context);
  const found = new Set<string>();
  for (const node of context.snapshot.nodes) {
    const value = node.labels[term.topologyKey ?? ''];
    if (value === undefined || found.has(value)) continue;
    for (const other of node.pods.values()) {
      if (matches(other)) {
        found.add(value);
        break;
      }
    }
  }
  return found;
}

/** Domains (`key=value`) that placed pods, by their own anti-affinity, keep this pod out of. */
function forbiddenDomains(pod: PodInfo, context: SchedulingContext): Map<string, Set<string>> {
  const forbidden = new Map<string, Set<string>>();
  if (context.snapshot.podsWithTerms === 0) return forbidden;
  for (const node of context.snapshot.nodes) {
    for (const other of node.pods.values()) {
      for (const term of other.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
        const key = term.topologyKey ?? '';
        const value = node.labels[key];
        if (value === undefined || !termMatcher(term, other, context)(pod)) continue;
        let values = forbidden.get(key);
        if (!values) forbidden.set(key, (values = new Set()));
        values.add(value);
      }
    }
  }
  return forbidden;
}

/** Required affinity and anti-affinity between pods, in both directions for anti-affinity. */
export const interPodAffinity: Filter = {
  name: 'InterPodAffinity',
  prepare(pod, context): NodeCheck | undefined {
    const affinity = pod.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const anti = pod.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const forbidden = forbiddenDomains(pod, context);
    if (affinity.length === 0 && anti.length === 0 && forbidden.size === 0) return undefined;
    const wanted = affinity.map((term) => ({ key: term.topologyKey ?? '', values: domains(term, pod, context) }));
    // The first pod of a group that wants to be near itself would otherwise never find a place.
    const first = wanted.every(({ values }) => values.size === 0) && affinity.every((term) => termMatcher(term, pod, context)(pod));
    const avoided = anti.map((term) => ({ key: term.topologyKey ?? '', values: domains(term, pod, context) }));
    return (node) => {
      for (const { key, values } of wanted) {
        const value = node.labels[key];
        if (value === undefined || (!first && !values.has(value))) return OWN;
      }
      for (const { key, values } of avoided) {
        const value = node.labels[key];
        if (value !== undefined && values.has(value)) return OWN_ANTI;
      }
      for (const [key, values] of forbidden) {
        const value = node.labels[key];
        if (value !== undefined && values.has(value)) return EXISTING_ANTI;
      }
      return undefined;
    };
  },
};
