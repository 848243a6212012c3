import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Catalog } from './catalog.ts';
import type { FileContentStore } from './content.ts';
import type { ImageEvent, Platform } from './images.ts';
import type { LayerStore } from './layers/layer-store.ts';
import type { LayerWorkers } from './layers/workers.ts';
import type { Leases } from './leases.ts';
import type { OverlaySnapshots } from './snapshots.ts';

/** What the verbs of this room work with. */
export interface Parts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly catalog: Catalog;
  readonly content: FileContentStore;
  readonly layers: LayerStore;
  readonly leases: Leases;
  readonly snapshots: OverlaySnapshots;
  readonly workers: LayerWorkers;
  readonly platform: Platform;
  emit(event: ImageEvent): void;
}
