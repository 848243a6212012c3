import type { EventRecorder } from '../../client/events.ts';
import type { InformerFactory } from '../../client/informer-factory.ts';
import { services } from '../../client/resources.ts';
import type { HostPorts } from '../../host/host.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Service } from '../../types/kubernetes/generated/core-v1.ts';

export interface TakenPortsOptions {
  readonly informers: InformerFactory;
  readonly ports: Pick<HostPorts, 'holder'>;
  readonly events: EventRecorder;
  readonly logger: Logger;
  readonly nodeName: string;
}

/**
 * Tells of node ports at which a program of this node listens already: the Service's rules take the traffic, so that the
 * program gets none, and nobody would see why. Each port of a Service is looked at once, when it comes.
 * @returns stops it
 */
export function warnOfTakenPorts({ informers, ports, events, logger, nodeName }: TakenPortsOptions): () => void {
  /** Node ports that were looked at, by the Service's uid. */
  const seen = new Map<string, ReadonlySet<string>>();
  let queue: Promise<void> = Promise.resolve();
  let stopped = false;
  const look = (service: Service): void => {
    const uid = service.metadata?.uid ?? '';
    const before = seen.get(uid);
    const now = new Set((service.spec?.ports ?? []).flatMap(({ nodePort, protocol = 'TCP' }) => (nodePort ? [`${nodePort}/${protocol}`] : [])));
    if (now.size === 0) {
      seen.delete(uid);
      return;
    }
    seen.set(uid, now);
    const fresh = [...now].filter((port) => !before?.has(port));
    if (fresh.length > 0) {
      queue = queue
        .then(() => ask(service, fresh))
        .catch((error: unknown) =>
          logger.warn('could not see who listens at a node port', {
            service: `${service.metadata?.namespace}/${service.metadata?.name}`,
            error: messageOf(error),
          }),
        );
    }
  };
  const ask = async (service: Service, fresh: readonly string[]): Promise<void> => {
    for (const each of fresh) {
      const [port, protocol] = each.split('/') as [string, string];
      if (stopped || protocol === 'SCTP') continue;
      const holder = await ports.holder(protocol === 'UDP' ? 'udp' : 'tcp', Number(port));
      if (holder === undefined) continue;
      events.event(
        { apiVersion: 'v1', kind: 'Service', ...(service.metadata && { metadata: service.metadata }) },
        'Warning',
        'NodePortInUse',
        `${holder} listens at port ${each} of node ${nodeName} and gets none of its traffic any more, since the Service has it as nodePort. Choose another nodePort, or stop that program.`,
      );
    }
  };
  const stop = informers
    .for<Service>(services)
    .on({ add: look, update: (_, service) => look(service), delete: (service) => seen.delete(service.metadata?.uid ?? '') });
  return () => {
    stopped = true;
    stop();
  };
}
