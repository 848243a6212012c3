import type { EventRecorder } from '../../client/events.ts';
import type { Transport } from '../../client/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Cri } from '../cri/cri.ts';
import type { PodVolumes } from '../volumes/volumes.ts';
import type { EnvironmentSource } from './environment.ts';
import type { ImagePuller } from './image-puller.ts';
import type { Prober } from './probes/prober.ts';
import type { StatusWriter } from './status-writer.ts';

/** What every pod worker shares. */
export interface AgentContext {
  readonly cri: Cri;
  readonly transport: Transport;
  readonly volumes: PodVolumes;
  readonly images: ImagePuller;
  readonly environment: EnvironmentSource;
  readonly statuses: StatusWriter;
  readonly prober: Prober;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly nodeAddress: string;
  readonly nodeMemoryBytes: number;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** Folder of the node: pods' own folders, logs. */
  readonly folder: string;
  /** Content of the machine's resolv.conf, for dnsPolicy Default. */
  readonly hostResolv: () => Promise<{ readonly servers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] }>;
  /** How long a pod that took traffic goes on serving after its deletion, so that every node's rules have let go of it, in milliseconds. */
  readonly drainMs: number;
  /** Whether this node still sends new connections to a pod at an address, as its proxy knows. */
  readonly takesTraffic: (address: string) => boolean;
}
