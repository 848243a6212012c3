import type { Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { EndpointSlice } from '../../types/kubernetes/generated/discovery-v1.ts';

/** One port of one Service with all that its rules depend on. */
export interface ServicePortView {
  /** namespace/name:port. */
  readonly id: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  readonly clusterIps: readonly string[];
  /** External IPs and load balancer addresses. */
  readonly externalIps: readonly string[];
  readonly nodePort: number | undefined;
  /** Seconds; undefined without session affinity. */
  readonly affinitySeconds: number | undefined;
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  readonly endpoints: readonly EndpointView[];
}

export interface EndpointView {
  readonly address: string;
  readonly port: number;
  readonly local: boolean;
  /** On its way out; here because none is ready, or the Service wants those too that are not. */
  readonly terminating?: true;
}

/**
 * Joins a Service with its EndpointSlices. Ready endpoints serve; where none
 * is ready, those which are terminating but still serve do (KEP-1669). IPv4 alone.
 */
export function viewService(service: Service, slices: Iterable<EndpointSlice>, node: string): ServicePortView[] {
  const spec = service.spec;
  if (!spec || spec.type === 'ExternalName' || !spec.clusterIP || spec.clusterIP === 'None') return [];
  const ingress = (service.status?.loadBalancer?.ingress ?? []).filter(({ ipMode }) => ipMode !== 'Proxy').flatMap(({ ip }) => ip ?? []);
  const all = [...slices].filter(({ addressType }) => addressType === 'IPv4');
  return (spec.ports ?? []).flatMap((port): ServicePortView[] => {
    const protocol = (port.protocol ?? 'TCP').toLowerCase() as ServicePortView['protocol'];
    return [{
      id: `${service.metadata?.namespace ?? ''}/${service.metadata?.name ?? ''}:${port.name ?? ''}/${protocol}/${port.port}`,
      protocol,
      port: port.port ?? 0,
      clusterIps: (spec.clusterIPs?.length ? spec.clusterIPs : [spec.clusterIP!]).filter(isIpv4),
      externalIps: [...new Set([...(spec.externalIPs ?? []), ...ingress])].filter(isIpv4),
      nodePort: port.nodePort || undefined,
      affinitySeconds: spec.sessionAffinity === 'ClientIP' ? spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800 : undefined,
      internalLocal: spec.internalTrafficPolicy === 'Local',
      externalLocal: spec.externalTrafficPolicy === 'Local',
      endpoints: endpointsOf(all, port.name ?? '', protocol, node),
    }];
  });
}

function endpointsOf(slices: readonly EndpointSlice[], portName: string, protocol: string, node: string): EndpointView[] {
  const ready = new Map<string, EndpointView>();
  const terminating = new Map<string, EndpointView>();
  for (const slice of slices) {
    const port = (slice.ports ?? []).find((candidate) => (candidate.name ?? '') === portName && (candidate.protocol ?? 'TCP').toLowerCase() === protocol)?.port;
    if (!port) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const { conditions } = endpoint;
      const into = conditions?.ready !== false ? ready : conditions?.serving && conditions.terminating ? terminating : undefined;
      const mark = conditions?.terminating ? ({ terminating: true } as const) : {};
      for (const address of endpoint.addresses ?? []) {
        into?.set(`${address}:${port}`, { address, port, local: endpoint.nodeName === node, ...mark });
      }
    }
  }
  const chosen = ready.size > 0 ? ready : terminating;
  return [...chosen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}

function isIpv4(address: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(address);
}
