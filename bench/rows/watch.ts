import { Api } from '../lib/api.ts';
import { follow } from '../lib/follow.ts';
import { kubeRow, ratio } from '../lib/row.ts';
import { percentile } from '../lib/statistics.ts';

const WATCHERS = 100;
const UPDATES = 200;
const END = 'end';
const PATH = '/api/v1/namespaces/default/configmaps';

/**
 * From before an update is sent until each watcher, on a connection of its own, has it. The first round finds the code
 * of either side cold, and that of the client.
 */
export const row = kubeRow({
  name: 'watch', what: `watch, ${WATCHERS} watchers: delivery p99`, unit: 'ms', budget: ratio(0.5), recorded: 13, rounds: 3,
  async measure(side) {
    using api = new Api(side, 4);
    const object = (turn: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'bench-watch' }, data: { turn } });
    await api.send('POST', PATH, object('none'));
    const sent = new Map<string, number>();
    const delays: number[] = [];
    let watching = 0;
    const watches = Array.from({ length: WATCHERS }, () =>
      follow(side, `${PATH}?watch=1&fieldSelector=metadata.name%3Dbench-watch`, /"turn":"(\w+)"/g, (turn) => {
        if (turn === 'none') watching++;
        if (sent.has(turn)) delays.push(performance.now() - sent.get(turn)!);
        return turn === END;
      }),
    );
    const over = Promise.all(watches);
    while (watching < WATCHERS) await Promise.race([over, new Promise((resolve) => { setTimeout(resolve, 20); })]);
    for (let turn = 0; turn < UPDATES; turn++) {
      sent.set(String(turn), performance.now());
      await api.send('PUT', `${PATH}/bench-watch`, object(String(turn)));
    }
    // Not measured: each watch is taken down as it sees this, while others still wait for it.
    await api.send('PUT', `${PATH}/bench-watch`, object(END));
    await over;
    await api.send('DELETE', `${PATH}/bench-watch`);
    return { value: percentile(delays, 0.99), note: `p50 ${percentile(delays, 0.5).toFixed(1)} ms, ${delays.length} delivered` };
  },
});
