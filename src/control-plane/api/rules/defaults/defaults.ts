import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import { APPS_DEFAULTS } from './apps.ts';
import { CORE_DEFAULTS, roundToMilli, settleDataSources } from './core.ts';
import { OTHER_DEFAULTS } from './others.ts';
import { DefaultsWalker, type Draft } from './walker.ts';

const walker = new DefaultsWalker({ ...CORE_DEFAULTS, ...APPS_DEFAULTS, ...OTHER_DEFAULTS }, roundToMilli);

const CLAIM = 'io.k8s.api.core.v1.PersistentVolumeClaim';

/** Fills the defaults of a kind in, in place, on a private copy that was decoded. May run again on what it completed. */
export function applyDefaults(resource: { readonly schema: string }, object: KubeObject): void {
  walker.apply(resource.schema, object as unknown as Draft);
  // Of a claim itself; the templates of claims in other kinds stay as they are.
  if (resource.schema === CLAIM) settleDataSources((object as unknown as { spec: Draft }).spec);
}
