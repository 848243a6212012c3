import { storeContract } from '../../../test/contract/store.ts';
import { openMemoryStore } from './memory-store.ts';

storeContract('memory', {
  open: async (t) => {
    const store = await openMemoryStore();
    t.after(() => store.close());
    return store;
  },
});
