import type { KubeObject } from '../../../types/kubernetes/meta.ts';

export interface ServicePort {
  name?: string;
  port?: number;
  protocol?: string;
  nodePort?: number;
}

/** What allocation looks at, open to change. */
export interface ServiceSpec {
  type?: string;
  clusterIP?: string;
  clusterIPs?: string[];
  ipFamilies?: string[];
  ipFamilyPolicy?: string;
  ports?: ServicePort[];
  selector?: Record<string, string>;
  externalTrafficPolicy?: string;
  internalTrafficPolicy?: string;
  healthCheckNodePort?: number;
  allocateLoadBalancerNodePorts?: boolean;
  loadBalancerClass?: string;
}

export function specOf(service: KubeObject | undefined): ServiceSpec | undefined {
  return (service as { spec?: ServiceSpec } | undefined)?.spec;
}

export function needsClusterIp(spec: ServiceSpec): boolean {
  return spec.type !== 'ExternalName';
}

export function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';
}

export function needsNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
}

export function needsHealthCheckPort(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
}

/** Addresses that the Service holds. */
export function addressesOf(spec: ServiceSpec | undefined): string[] {
  if (spec === undefined || !needsClusterIp(spec) || isHeadless(spec)) return [];
  return spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
}

/** Ports of the nodes that the Service holds. */
export function nodePortsOf(spec: ServiceSpec | undefined): Set<number> {
  const out = new Set<number>();
  for (const { nodePort } of spec?.ports ?? []) if (nodePort) out.add(nodePort);
  if (spec?.healthCheckNodePort) out.add(spec.healthCheckNodePort);
  return out;
}

/** clusterIP and clusterIPs say the same thing twice; a client may say it once. */
export function settleClusterIps(spec: ServiceSpec, old: ServiceSpec | undefined): void {
  if (old === undefined) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
    else if (!spec.clusterIP && spec.clusterIPs?.length) spec.clusterIP = spec.clusterIPs[0]!;
    return;
  }
  const samePlural = JSON.stringify(spec.clusterIPs) === JSON.stringify(old.clusterIPs);
  if (spec.clusterIP !== old.clusterIP && samePlural) {
    if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP];
    else delete spec.clusterIPs;
  } else if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
}

/** An update that leaves out what was allotted keeps it. */
export function keepAllotted(spec: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIp(old) && needsClusterIp(spec)) {
    if (!spec.clusterIP && old.clusterIP) spec.clusterIP = old.clusterIP;
    if (!spec.clusterIPs?.length && old.clusterIPs) spec.clusterIPs = [...old.clusterIPs];
  }
  if (needsNodePorts(old) && needsNodePorts(spec)) {
    const known = new Map(old.ports?.map((port) => [`${port.protocol ?? 'TCP'}:${port.port}`, port.nodePort]));
    const taken = new Set(spec.ports?.map((port) => port.nodePort));
    for (const port of spec.ports ?? []) {
      const before = known.get(`${port.protocol ?? 'TCP'}:${port.port}`);
      if (!port.nodePort && before && !taken.has(before)) {
        port.nodePort = before;
        taken.add(before);
      }
    }
  }
  if (needsHealthCheckPort(old) && needsHealthCheckPort(spec) && !spec.healthCheckNodePort && old.healthCheckNodePort) {
    spec.healthCheckNodePort = old.healthCheckNodePort;
  }
}

/** An update that changes the type, and leaves everything else, means to give up what the new type has no use for. */
export function dropUnneeded(spec: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIp(old) && !needsClusterIp(spec)) {
    if (spec.clusterIP === old.clusterIP) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    delete spec.ipFamilies;
    delete spec.ipFamilyPolicy;
    delete spec.internalTrafficPolicy;
  }
  if (
    needsNodePorts(old) &&
    !needsNodePorts(spec) &&
    JSON.stringify(old.ports?.map((port) => port.nodePort)) === JSON.stringify(spec.ports?.map((port) => port.nodePort))
  ) {
    for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (needsHealthCheckPort(old) && !needsHealthCheckPort(spec) && spec.healthCheckNodePort === old.healthCheckNodePort) {
    delete spec.healthCheckNodePort;
  }
  if (old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts) delete spec.allocateLoadBalancerNodePorts;
    if (spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass;
  }
  const outside = (s: ServiceSpec): boolean => s.type === 'NodePort' || s.type === 'LoadBalancer';
  if (outside(old) && !outside(spec) && spec.externalTrafficPolicy === old.externalTrafficPolicy) delete spec.externalTrafficPolicy;
}
