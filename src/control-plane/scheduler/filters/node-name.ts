import { refuse, type Filter } from '../filter.ts';

const REFUSAL = refuse("node(s) didn't match the requested node name");

/** A pod that names its node goes there or nowhere. */
export const nodeName: Filter = {
  name: 'NodeName',
  prepare(pod) {
    const wanted = pod.pod.spec?.nodeName;
    if (!wanted) return undefined;
    return (node) => (node.name === wanted ? undefined : REFUSAL);
  },
};
