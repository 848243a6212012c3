import { refuse, type Filter } from '../filter.ts';
import { countSpread } from '../spread.ts';

const MISSING = refuse("node(s) didn't match pod topology spread constraints (missing required label)");
const SKEWED = refuse("node(s) didn't match pod topology spread constraints", true);

/** Constraints with `whenUnsatisfiable: DoNotSchedule`. */
export const podTopologySpread: Filter = {
  name: 'PodTopologySpread',
  prepare(pod, context) {
    const hard = pod.spread.filter((constraint) => constraint.whenUnsatisfiable === 'DoNotSchedule');
    if (hard.length === 0) return undefined;
    const counts = hard.map((constraint) => countSpread(constraint, pod, context));
    return (node) => {
      for (const { key, maxSkew, self, byDomain, least } of counts) {
        const domain = node.labels[key];
        if (domain === undefined) return MISSING;
        if ((byDomain.get(domain) ?? 0) + self - least > maxSkew) return SKEWED;
      }
      return undefined;
    };
  },
};
