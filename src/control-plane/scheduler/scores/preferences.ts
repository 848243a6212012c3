import { matchesTerm } from '../../../types/kubernetes/node-selector.ts';
import { termMatcher } from '../pod-terms.ts';
import { MAX_SCORE, type Score } from '../score.ts';
import { countSpread } from '../spread.ts';
import { tolerates } from '../tolerations.ts';

/** Fewer PreferNoSchedule taints that the pod does not tolerate. */
export const taintPreference: Score = {
  name: 'TaintToleration',
  weight: 3,
  normalize: 'reverse',
  prepare(pod) {
    return (node) => {
      let untolerated = 0;
      for (const taint of node.taints) {
        if (taint.effect === 'PreferNoSchedule' && !pod.tolerations.some((toleration) => tolerates(toleration, taint))) untolerated++;
      }
      return untolerated;
    };
  },
};

/** The preferred part of node affinity, by its weights. */
export const nodeAffinityPreference: Score = {
  name: 'NodeAffinity',
  weight: 2,
  normalize: 'forward',
  prepare(pod) {
    const preferred = pod.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution;
    if (!preferred?.length) return undefined;
    return (node) => preferred.reduce((sum, { weight, preference }) => sum + (preference && matchesTerm(preference, node) ? weight ?? 0 : 0), 0);
  },
};

/** Nodes that hold the images already; large ones count for more. */
export const imageLocality: Score = {
  name: 'ImageLocality',
  weight: 1,
  prepare(pod) {
    const least = 23 * 2 ** 20;
    const most = 1000 * 2 ** 20 * Math.max(1, pod.images.length);
    return (node) => {
      let bytes = 0;
      for (const image of pod.images) bytes += node.images.get(image) ?? 0;
      return bytes <= least ? 0 : (MAX_SCORE * (Math.min(bytes, most) - least)) / (most - least);
    };
  },
};

/** Pods of one owner are spread over nodes where the pod itself says nothing about spreading. */
export const ownerSpread: Score = {
  name: 'OwnerSpread',
  weight: 2,
  normalize: 'reverse',
  prepare(pod) {
    const { owner } = pod;
    if (owner === undefined || pod.spread.length > 0) return undefined;
    return (node) => node.owners.get(owner) ?? 0;
  },
};

/** Constraints with `whenUnsatisfiable: ScheduleAnyway`. */
export const softSpread: Score = {
  name: 'PodTopologySpread',
  weight: 2,
  normalize: 'reverse',
  prepare(pod, context) {
    const soft = pod.spread.filter((constraint) => constraint.whenUnsatisfiable === 'ScheduleAnyway');
    if (soft.length === 0) return undefined;
    const counts = soft.map((constraint) => countSpread(constraint, pod, context));
    return (node) => counts.reduce((sum, { key, byDomain, maxSkew }) => sum + (byDomain.get(node.labels[key] ?? '') ?? 0) + maxSkew - 1, 0);
  },
};

/** The preferred part of affinity and anti-affinity between pods. */
export const podAffinityPreference: Score = {
  name: 'InterPodAffinity',
  weight: 2,
  normalize: 'forward',
  prepare(pod, context) {
    const near = pod.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    const far = pod.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (near.length + far.length === 0) return undefined;
    const terms = [...near.map((entry) => ({ ...entry, sign: 1 })), ...far.map((entry) => ({ ...entry, sign: -1 }))];
    const tallies = terms.map(({ weight, podAffinityTerm, sign }) => {
      const key = podAffinityTerm?.topologyKey ?? '';
      const byDomain = new Map<string, number>();
      if (podAffinityTerm) {
        const matches = termMatcher(podAffinityTerm, pod, context);
        for (const node of context.snapshot.nodes) {
          const domain = node.labels[key];
          if (domain === undefined) continue;
          for (const other of node.pods.values()) {
            if (matches(other)) {
              byDomain.set(domain, (byDomain.get(domain) ?? 0) + sign * (weight ?? 0));
            }
          }
        }
      }
      return { key, byDomain };
    });
    return (node) => tallies.reduce((sum, { key, byDomain }) => sum + (byDomain.get(node.labels[key] ?? '') ?? 0), 0);
  },
};
