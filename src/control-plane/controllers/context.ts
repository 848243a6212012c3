import type { EventRecorder } from '../../client/events.ts';
import type { InformerFactory } from '../../client/informer-factory.ts';
import type { Transport } from '../../client/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { ControllersOptions } from './options.ts';

/** What every controller gets. */
export interface ControllerContext {
  /** Writes (and the few reads that must not come from a cache), as the controller's own user. */
  readonly transport: Transport;
  /** Shared by all controllers. */
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly options: ControllersOptions;
}

/** A controller that was made; its informers are known to the factory by then. */
export interface RunningController {
  /** Resolves once work began: after the informers have synced. */
  start(): Promise<void>;
  /** Resolves when nothing runs any more. */
  stop(): Promise<void>;
}

/** A row of the table of controllers. */
export interface ControllerEntry {
  /** The service account in kube-system that it acts as, named as upstream does: `replicaset-controller`. */
  readonly name: string;
  /** The source of its events, where that differs from the name. */
  readonly component?: string;
  /** @returns undefined when the options leave it nothing to do */
  readonly create: (context: ControllerContext) => RunningController | undefined;
}
