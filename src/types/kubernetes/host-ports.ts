import type { Pod } from './generated/core-v1.ts';

/** A port of the host that a container asks for. */
export interface HostPort {
  readonly protocol: string;
  readonly ip: string;
  readonly port: number;
}

/** The ports of its host that a pod takes. */
export function hostPortsOf(pod: Pod): HostPort[] {
  const ports: HostPort[] = [];
  for (const container of pod.spec?.containers ?? []) {
    for (const port of container.ports ?? []) {
      if (port.hostPort) ports.push({ protocol: port.protocol ?? 'TCP', ip: port.hostIP || '0.0.0.0', port: port.hostPort });
    }
  }
  return ports;
}

/** True where two pods with these ports can't share a host. */
export function portsClash(a: HostPort, b: HostPort): boolean {
  return a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0');
}
