import type { KubeObject } from '../../../../types/kubernetes/meta.ts';

/** Names of the same fields in v1 and in events.k8s.io/v1. */
const NAMES: readonly (readonly [core: string, events: string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];
const TO_EVENTS = new Map(NAMES);
const TO_CORE = new Map(NAMES.map(([core, events]) => [events, core]));

function renamed(object: KubeObject, names: ReadonlyMap<string, string>): KubeObject {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) out[names.get(key) ?? key] = value;
  return out;
}

/** v1 to events.k8s.io/v1. */
export function eventFromCore(object: KubeObject): KubeObject {
  const { reportingController, reportingInstance, ...rest } = renamed(object, TO_EVENTS) as KubeObject & Record<string, unknown>;
  // There they are left out when empty, in v1 always written.
  return { ...rest, ...(reportingController !== '' && { reportingController }), ...(reportingInstance !== '' && { reportingInstance }) };
}

/** events.k8s.io/v1 to v1. */
export function eventToCore(object: KubeObject): KubeObject {
  return {
    ...renamed(object, TO_CORE),
    reportingComponent: '',
    reportingInstance: '',
    ...pickText(object, 'reportingController', 'reportingComponent'),
    ...pickText(object, 'reportingInstance', 'reportingInstance'),
  } as KubeObject;
}

function pickText(object: KubeObject, from: string, to: string): Record<string, unknown> {
  const value = (object as Record<string, unknown>)[from];
  return value === undefined ? {} : { [to]: value };
}
