import { kubectl } from '../lib/command.ts';
import { ratio, type Row } from '../lib/row.ts';

/** `kubectl run`, then `kubectl wait` for Ready: two commands, as a user does it. No kubelet is started as a peer. */
export const row: Row = {
  name: 'pod-ready', what: '`kubectl run` until Ready, image present', unit: 's', budget: ratio(0.4), rounds: 5, recorded: 0.69,
  async ours(stage) {
    await stage.ourDocker();
    const side = await stage.ourKube();
    const run = await kubectl(side, [
      'run',
      'bench-ready',
      '--image=busybox',
      '--image-pull-policy=Never',
      '--restart=Never',
      '--command',
      '--',
      'sleep',
      '3600',
    ]);
    const wait = await kubectl(side, ['wait', '--for=condition=Ready', 'pod/bench-ready', '--timeout=30s']);
    await kubectl(side, ['delete', 'pod', 'bench-ready', '--grace-period=0', '--force']);
    return { value: run.seconds + wait.seconds };
  },
};
