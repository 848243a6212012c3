import { silentLogger } from '../../lib/log.ts';
import type { Logger } from '../../lib/log.ts';
import type { Journal } from './journal.ts';
import { EMPTY_STORE, Mvcc } from './mvcc.ts';
import { MvccStore } from './mvcc-store.ts';
import type { Store } from './store.ts';

/** Keeps nothing. */
const NO_JOURNAL: Journal = {
  immediate: true,
  append: () => Promise.resolve(),
  wantsCheckpoint: () => false,
  checkpoint: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

export interface MemoryStoreOptions {
  readonly logger?: Logger;
}

/** An empty store that lives as long as the process: for tests, and for platforms that are thrown away. */
export function openMemoryStore(options: MemoryStoreOptions = {}): Promise<Store> {
  return Promise.resolve(new MvccStore({ mvcc: new Mvcc(EMPTY_STORE), journal: NO_JOURNAL, logger: options.logger ?? silentLogger }));
}
