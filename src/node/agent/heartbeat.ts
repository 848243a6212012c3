import { leases, nodes } from '../../client/resources.ts';
import type { Transport } from '../../client/transport.ts';
import { rfc3339Micro, type Clock } from '../../lib/clock.ts';
import { isCode, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Lease } from '../../types/kubernetes/generated/coordination-v1.ts';
import type { Node } from '../../types/kubernetes/generated/core-v1.ts';
import type { Cri } from '../cri/cri.ts';
import { nodeObject, nodeStatus, type NodeFacts } from './node-status.ts';

const LEASE_SECONDS = 40;
const LEASE_RENEW_MS = 10_000;
const STATUS_MS = 300_000;
const RETRY_MS = 1000;
const LEASE_NAMESPACE = 'kube-node-lease';

export interface Heartbeat {
  /** The first status was written. */
  readonly registered: Promise<void>;
  /** The status may have changed: images, readiness. */
  touch(): void;
  close(): void;
}

/**
 * Registers the node, renews its Lease each 10 s, and writes its status each 5 minutes and when it changes. `prepare` brings the node in line
 * with its spec before its status is told: a restart must not make a node look unready that is not.
 */
export function startHeartbeat(options: {
  readonly transport: Transport;
  readonly cri: Cri;
  readonly facts: NodeFacts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly prepare: (node: Node) => Promise<void>;
}): Heartbeat {
  const { transport, cri, facts, clock, logger } = options;
  const abort = new AbortController();
  let lastMs = -Infinity;
  let lastText = '';
  let again = false;
  let wake = (): void => {};
  let resolveRegistered = (): void => {};
  const registered = new Promise<void>((resolve) => (resolveRegistered = resolve));

  async function writeStatus(): Promise<void> {
    let node: Node;
    try {
      node = await transport.get<Node>(nodes, undefined, facts.name);
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
      node = await transport.create<Node>(nodes, undefined, nodeObject(facts));
    }
    await options.prepare(node);
    const now = clock.now();
    const status = await nodeStatus(facts, cri, node.status, now);
    const text = JSON.stringify({ ...status, conditions: status.conditions?.map(({ lastHeartbeatTime: _, ...rest }) => rest) });
    if (
      text === lastText &&
      now - lastMs < STATUS_MS &&
      node.status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'Unknown'
    ) {
      return;
    }
    await transport.patch<Node>(
      nodes,
      undefined,
      facts.name,
      'strategic',
      { status: { ...status, addresses: [{ $patch: 'replace' }, ...(status.addresses ?? [])] } },
      { subresource: 'status' },
    );
    lastText = text;
    lastMs = now;
  }

  async function renewLease(): Promise<void> {
    const renewTime = rfc3339Micro(clock.now());
    try {
      await transport.patch(leases, LEASE_NAMESPACE, facts.name, 'merge', {
        spec: { holderIdentity: facts.name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
      });
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
      await transport.create<Lease>(leases, LEASE_NAMESPACE, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: facts.name, namespace: LEASE_NAMESPACE },
        spec: { holderIdentity: facts.name, leaseDurationSeconds: LEASE_SECONDS, renewTime },
      });
    }
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      let waitMs = LEASE_RENEW_MS;
      again = false;
      try {
        await Promise.all([writeStatus(), renewLease()]);
        resolveRegistered();
      } catch (error) {
        logger.warn('could not report this node, trying again', { node: facts.name, error: messageOf(error) });
        waitMs = RETRY_MS;
      }
      if (again) continue;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(waitMs, resolve);
        wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }
  void run();
  return {
    registered,
    touch() {
      again = true;
      wake();
    },
    close() {
      abort.abort();
      wake();
    },
  };
}
