import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/log.ts';
import type { Cri } from '../../cri/cri.ts';
import type { Agent } from '../agent.ts';

export interface NodeApiOptions {
  readonly agent: Agent;
  readonly cri: Cri;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
}

/** What a path names: `/exec/NAMESPACE/POD[/UID]/CONTAINER`. */
export interface ContainerTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** A flag of a query in either spelling: the API's (`stdin=true`) or the kubelet's (`input=1`). */
export function flag(query: URLSearchParams, ...names: readonly string[]): boolean {
  return names.some((name) => ['1', 'true', 'True', 't'].includes(query.get(name) ?? ''));
}
