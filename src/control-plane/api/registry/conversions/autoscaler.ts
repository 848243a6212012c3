import type { KubeObject } from '../../../../types/kubernetes/meta.ts';

// What autoscaling/v1 has no fields for travels in annotations, as JSON in the shape of v2beta1.
const METRICS = 'autoscaling.alpha.kubernetes.io/metrics';
const CURRENT = 'autoscaling.alpha.kubernetes.io/current-metrics';
const CONDITIONS = 'autoscaling.alpha.kubernetes.io/conditions';
const BEHAVIOR = 'autoscaling.alpha.kubernetes.io/behavior';

type Fields = Record<string, unknown>;

interface Amount {
  type?: string;
  value?: string;
  averageValue?: string;
  averageUtilization?: number;
}

interface Metric extends Fields {
  type?: string;
}

interface Source extends Fields {
  name?: string;
  container?: string;
  metric?: { name?: string; selector?: unknown };
  describedObject?: unknown;
  target?: Amount;
  current?: Amount;
}

interface Autoscaler extends KubeObject {
  readonly spec?: Fields & { metrics?: readonly Metric[]; behavior?: unknown; targetCPUUtilizationPercentage?: number };
  readonly status?: Fields & { currentMetrics?: readonly Metric[] | null; conditions?: unknown; currentCPUUtilizationPercentage?: number };
}

const MEMBERS: Readonly<Record<string, string>> = {
  Resource: 'resource',
  ContainerResource: 'containerResource',
  Pods: 'pods',
  Object: 'object',
  External: 'external',
};

function isCpu(metric: Metric, amount: 'target' | 'current'): boolean {
  const source = metric.resource as Source | undefined;
  return metric.type === 'Resource' && source?.name === 'cpu' && source[amount]?.averageUtilization !== undefined;
}

function compact(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** A metric of v2 in the older shape; `word` is what its amounts are called there. */
function older(metric: Metric, amount: 'target' | 'current'): Metric {
  const member = MEMBERS[metric.type ?? ''];
  const source = member === undefined ? undefined : metric[member] as Source | undefined;
  if (member === undefined || source === undefined) return metric;
  const { value, averageValue, averageUtilization } = source[amount] ?? {};
  const [plain, average, utilization] =
    amount === 'target'
      ? ['targetValue', 'targetAverageValue', 'targetAverageUtilization']
      : ['currentValue', 'currentAverageValue', 'currentAverageUtilization'];
  const fields: Fields =
    member === 'resource' || member === 'containerResource'
      ? { name: source.name, container: source.container, [utilization]: averageUtilization, [average]: averageValue }
      : member === 'object'
        ? {
            target: source.describedObject,
            metricName: source.metric?.name,
            selector: source.metric?.selector,
            [plain]: value,
            averageValue,
          }
        : member === 'pods'
          ? { metricName: source.metric?.name, selector: source.metric?.selector, [average]: averageValue }
          : { metricName: source.metric?.name, metricSelector: source.metric?.selector, [plain]: value, [average]: averageValue };
  return { type: metric.type, [member]: compact(fields) };
}

/** The way back. */
function newer(metric: Metric, amount: 'target' | 'current'): Metric {
  const member = MEMBERS[metric.type ?? ''];
  const source = member === undefined ? undefined : metric[member] as Fields | undefined;
  if (member === undefined || source === undefined) return metric;
  const word = amount === 'target' ? 'target' : 'current';
  const value = source[`${word}Value`];
  const averageValue = member === 'object' ? source.averageValue : source[`${word}AverageValue`];
  const averageUtilization = source[`${word}AverageUtilization`];
  const type = averageUtilization !== undefined ? 'Utilization' : averageValue !== undefined ? 'AverageValue' : 'Value';
  const amounts = compact({ ...(amount === 'target' && { type }), value, averageValue, averageUtilization });
  const fields: Fields = member === 'resource' || member === 'containerResource'
    ? { name: source.name, container: source.container }
    : { describedObject: source.target, metric: compact({ name: source.metricName, selector: source.selector ?? source.metricSelector }) };
  return { type: metric.type, [member]: compact({ ...fields, [amount]: amounts }) };
}

/** autoscaling/v2 to v1. */
export function autoscalerFromV2(object: KubeObject): KubeObject {
  const { metadata, spec, status, ...rest } = object as Autoscaler;
  const { metrics = [], behavior, ...specRest } = spec ?? {};
  const { currentMetrics, conditions, ...statusRest } = status ?? {};
  const cpu = metrics.find((metric) => isCpu(metric, 'target'));
  const currentCpu = currentMetrics?.find((metric) => isCpu(metric, 'current'));
  const others = metrics.filter((metric) => metric !== cpu);
  const currentOthers = (currentMetrics ?? []).filter((metric) => metric !== currentCpu);
  const annotations = {
    ...metadata?.annotations,
    ...(others.length > 0 && { [METRICS]: JSON.stringify(others.map((metric) => older(metric, 'target'))) }),
    ...(currentOthers.length > 0 && { [CURRENT]: JSON.stringify(currentOthers.map((metric) => older(metric, 'current'))) }),
    ...(Array.isArray(conditions) && conditions.length > 0 && { [CONDITIONS]: JSON.stringify(conditions) }),
    ...(behavior !== undefined && { [BEHAVIOR]: JSON.stringify(behavior) }),
  };
  return {
    ...rest,
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: { ...specRest, ...(cpu && { targetCPUUtilizationPercentage: (cpu.resource as Source).target!.averageUtilization }) },
    status: {
      ...statusRest,
      currentReplicas: statusRest.currentReplicas ?? 0,
      ...(currentCpu && { currentCPUUtilizationPercentage: (currentCpu.resource as Source).current!.averageUtilization }),
    },
  } as KubeObject;
}

/** autoscaling/v1 to v2. */
export function autoscalerToV2(object: KubeObject): KubeObject {
  const { metadata, spec, status, ...rest } = object as Autoscaler;
  const { targetCPUUtilizationPercentage: target, ...specRest } = spec ?? {};
  const { currentCPUUtilizationPercentage: current, currentReplicas, ...statusRest } = status ?? {};
  const {
    [METRICS]: metricsText,
    [CURRENT]: currentText,
    [CONDITIONS]: conditionsText,
    [BEHAVIOR]: behaviorText,
    ...annotations
  } = metadata?.annotations ?? {};
  const { annotations: _, ...meta } = metadata ?? {};
  const cpu = (amount: Fields): Metric => ({ type: 'Resource', resource: { name: 'cpu', ...amount } });
  const metrics = [
    ...listOf(metricsText).map((metric) => newer(metric, 'target')),
    ...(target === undefined ? [] : [cpu({ target: { type: 'Utilization', averageUtilization: target } })]),
  ];
  const currentMetrics = [
    ...listOf(currentText).map((metric) => newer(metric, 'current')),
    ...(current === undefined ? [] : [cpu({ current: { averageUtilization: current } })]),
  ];
  const conditions = listOf(conditionsText);
  const behavior = parsed(behaviorText);
  return {
    ...rest,
    metadata: { ...meta, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: { ...specRest, ...(metrics.length > 0 && { metrics }), ...(behavior !== undefined && { behavior }) },
    status: {
      ...statusRest,
      ...(currentReplicas !== 0 && currentReplicas !== undefined && { currentReplicas }),
      currentMetrics: currentMetrics.length > 0 ? currentMetrics : null,
      ...(conditions.length > 0 && { conditions }),
    },
  } as KubeObject;
}

/** An annotation's JSON; undefined when it is none: then it was not written by a server. */
function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function listOf(text: string | undefined): Metric[] {
  const value = parsed(text);
  return Array.isArray(value) ? value.filter((item): item is Metric => item !== null && typeof item === 'object') : [];
}
