import { X509Certificate } from 'node:crypto';
import { HttpTransport } from '../client/http-transport.ts';
import { nodes } from '../client/resources.ts';
import { openHost } from '../host/open.ts';
import { probe, type Finding } from '../host/probe.ts';
import { systemClock } from '../lib/clock.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import type { Node } from '../types/kubernetes/generated/core-v1.ts';
import type { Home } from './home.ts';
import { explainJoin } from './join-errors.ts';
import { joinedName, nodeCredentials } from './join.ts';
import { readStatus } from './status.ts';

/** A server that does not answer by then is reported, in milliseconds. */
const ANSWER_MS = 5000;

/** Looks at the machine, and at the cluster that it has joined, if it has; changes nothing. */
export async function probeMachine(home: Home): Promise<readonly Finding[]> {
  const [machine, cluster] = await Promise.all([openHost().then(probe), probeCluster(home)]);
  return [...machine, ...(cluster === undefined ? [] : [cluster])];
}

/** How the node of this home stands with its cluster; undefined when it has joined none. */
async function probeCluster(home: Home): Promise<Finding | undefined> {
  const name = 'cluster';
  let server = 'the cluster';
  try {
    const node = await joinedName(home.pki);
    if (node === undefined) return undefined;
    const credentials = await nodeCredentials(home.pki, node, undefined);
    server = credentials.server;
    const transport = new HttpTransport({ config: credentials, clock: systemClock, timeoutMs: ANSWER_MS });
    try {
      const { status } = await transport.get<Node>(nodes, undefined, node);
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      const joined = `this machine is the node ${node} of ${server}`;
      if ((await readStatus(home)) === undefined) {
        return { name, status: 'warn', detail: `${joined}, and its agent does not run`, remedy: 'Start it with: longshore agent' };
      }
      if (ready?.status !== 'True') {
        return {
          name,
          status: 'warn',
          detail: `${joined}, which is not Ready: ${ready?.message ?? 'nothing is known of it'}`,
          remedy: 'See: longshore logs',
        };
      }
      return {
        name,
        status: 'ok',
        detail: `${joined}, Ready; its certificate is good until ${credentials.certificate ? new X509Certificate(credentials.certificate).validTo : 'nobody knows when'}`,
      };
    } finally {
      transport.close();
    }
  } catch (error) {
    const told = explainJoin(error, server, 'credentials');
    return { name, status: 'fail', detail: messageOf(told), ...(told instanceof LongshoreError && told.remedy !== undefined && { remedy: told.remedy }) };
  }
}
