import { atMost, type Row } from '../lib/row.ts';
import { Instance } from '../lib/instance.ts';
import type { KubePeer } from '../lib/kube-peer.ts';

/** `longshore up` in an empty folder (keys, certificates and networks are made) until it says that docker and kubectl are served. */
export const row: Row = {
  name: 'start', what: 'start until API ready (ours: docker API and a node included)', unit: 's', budget: atMost(0.6), rounds: 3, recorded: 2.4,
  async ours(stage) {
    const instance = new Instance(await stage.folder());
    try {
      const { seconds } = await instance.up();
      return { value: seconds };
    } finally {
      await instance.uninstall();
    }
  },
  async peer(stage) {
    const side = await stage.peerKube() as unknown as KubePeer;
    return { value: side.startSeconds };
  },
};
