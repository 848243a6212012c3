import { hostname } from 'node:os';
import { startDaemon } from '../app/daemon.ts';
import { relaunchAsServer } from '../app/launch.ts';
import { command, UsageError } from './command.ts';
import { requireRoot } from './instance.ts';
import { JOIN_FLAGS, joinOptionsOf } from './join-flags.ts';

export const cli = command(
  {
    about:
      'Starts a node in the background, if it does not run: joins with a token the first time (as "longshore join" does), and with its own certificate from then on. It goes on when the terminal is closed; "longshore status" and "longshore logs" tell of it, "longshore down" ends it with its pods and takes away all that it made. With --foreground it runs until a signal, for systemd; SIGTERM ends it and its pods go on.',
    flags: {
      ...JOIN_FLAGS,
      address: {
        type: 'string',
        value: 'ADDRESS',
        describe: "this machine's address for the cluster (default: what was named before, else that of its first interface)",
      },
      kubeconfig: {
        type: 'string',
        value: 'FILE',
        describe: "join the cluster of this file, whichever API server it has: a node's, with a client certificate of system:node:NAME",
      },
      'client-ca': {
        type: 'string',
        value: 'FILE',
        describe: "with --kubeconfig: who signs certificates of the node API's clients (default: the file's authority)",
      },
      'cluster-cidr': { type: 'string', value: 'CIDR', describe: "with --kubeconfig: the controller manager's --cluster-cidr" },
      'service-cidr': { type: 'string', value: 'CIDR', describe: "with --kubeconfig: the API server's --service-cluster-ip-range" },
      foreground: { type: 'boolean', describe: 'stay in the foreground, until a signal' },
    },
  },
  async ({ home, talk }, values) => {
    const join = joinOptionsOf(values);
    const { kubeconfig, 'client-ca': clientCa, 'cluster-cidr': clusterCidr, 'service-cidr': serviceCidr } = values;
    if (join && kubeconfig !== undefined) throw new UsageError('--kubeconfig and a token are two ways to join: name one');
    if (kubeconfig === undefined && (clientCa ?? clusterCidr ?? serviceCidr) !== undefined) {
      throw new UsageError('--client-ca, --cluster-cidr and --service-cidr go with --kubeconfig');
    }
    requireRoot('a node makes namespaces, mounts and networks', 'longshore agent');
    if (values.foreground) relaunchAsServer(process);
    const { joinByKubeconfig, joinedName, nodeCredentials } = await import('../app/join.ts');
    if (kubeconfig !== undefined) {
      await talk.phase(`join by ${kubeconfig}`, () =>
        joinByKubeconfig(home.pki, kubeconfig, {
          ...(clientCa !== undefined && { clientCa }),
          ...(clusterCidr !== undefined && { clusterCidr }),
          ...(serviceCidr !== undefined && { serviceCidr }),
        }),
      );
    }
    const before = await joinedName(home.pki);
    const nodeName = (values.name ?? before ?? hostname()).toLowerCase();
    if (before !== undefined && nodeName !== before) {
      talk.say(`  ! this machine has joined as ${before}, and stays it. For another name: longshore uninstall --yes`);
    }
    const name = before ?? nodeName;
    // The token is used here, and is no part of the command line of what runs on.
    if (join) await talk.phase(`join ${join.server} as ${name}`, () => nodeCredentials(home.pki, name, join));
    const { address } = values;
    if (values.foreground) {
      const { serveAgent } = await import('../app/serve-agent.ts');
      await serveAgent(home, { nodeName: name, ...(address !== undefined && { address }) });
      return 0;
    }
    const began = performance.now();
    const phases: string[] = [];
    const words = ['agent', '--foreground', '--name', name, ...(address === undefined ? [] : ['--address', address])];
    const { started, status } = await talk.phase('node', () =>
      startDaemon(home, [process.argv[1]!], {}, (phase, ms) => phases.push(`${phase} ${Math.round(ms)} ms`), words),
    );
    talk.say(started ? `    ${phases.join(', ')}` : '    it runs already');
    talk.say(
      `longshore: the node ${status.node} of ${status.api} is Ready${started ? `, after ${((performance.now() - began) / 1000).toFixed(2)} s` : ''}. It runs in the background: longshore status, longshore logs, longshore down`,
    );
    return 0;
  },
);
