import { forward, parsePorts, parseTarget, type Forwarding } from '../app/forward.ts';
import { connect } from '../app/why.ts';
import { loadKubeconfig } from '../client/kubeconfig.ts';
import { command, NAMESPACE, UsageError } from './command.ts';
import { requireCredentials } from './instance.ts';

export const cli = command(
  {
    about:
      "Leads ports of 127.0.0.1 to a pod, or to the ready pods of a Service, Deployment, StatefulSet, DaemonSet or ReplicaSet, until interrupted. Each connection looks for a pod anew, so a rollout does not end it. What listens on a pod's own loopback alone is reached by kubectl port-forward.",
    words: 'KIND/NAME [LOCAL:]REMOTE…',
    flags: { namespace: NAMESPACE },
  },
  async ({ home, interruption, print, talk }, { namespace }, [name, ...pairs]) => {
    if (name === undefined || pairs.length === 0) {
      throw new UsageError('forward wants a target and ports', 'As in: longshore forward svc/web 8080:80');
    }
    const ports = pairs.map(parsePorts);
    await requireCredentials(home);
    const config = await loadKubeconfig(home.kubeconfig);
    const target = parseTarget(name, namespace ?? config.namespace ?? 'default');
    const transport = connect(config);
    const interrupted = interruption();
    const open: Forwarding[] = [];
    try {
      for (const pair of ports) {
        const forwarding = await forward(transport, target, pair, (problem) => talk.say(`  ! ${problem}`));
        open.push(forwarding);
        print(`127.0.0.1:${forwarding.port} -> ${name}:${pair.remote}\n`);
      }
      await new Promise<void>((resolve) => {
        if (interrupted.aborted) resolve();
        interrupted.addEventListener('abort', () => resolve());
      });
      return 0;
    } finally {
      for (const forwarding of open) await forwarding.close();
      transport.close?.();
    }
  },
);
