import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Book } from './book.ts';
import type { DataPath, NetworkHost } from './data-path.ts';
import type { NamespacePool } from './namespaces.ts';
import type { PublishedPorts } from './ports.ts';
import type { NetworkState } from './state.ts';
import type { SubnetPool } from './subnets.ts';

/** What the verbs of this room work with. */
export interface NetworksParts {
  readonly host: NetworkHost;
  readonly instance: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly book: Book;
  readonly pools: readonly SubnetPool[];
  readonly namespaces: NamespacePool;
  readonly ports: PublishedPorts;
  readonly dataPath: DataPath;
  /** Shared with the data path and the resolver, which read it. */
  readonly states: Map<string, NetworkState>;
}
