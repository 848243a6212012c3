import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { WriteOutcome } from '../../contract.ts';
import { conflict, invalid, notFound, unexpected } from '../../errors.ts';
import { OPTIMISTIC_LOCK } from '../errors.ts';
import type { Decision, Pipeline } from '../pipeline.ts';
import type { Scope } from '../scope.ts';
import { bodyType, decodeAs, success } from './body.ts';
import { withCondition, type PodLike } from './pod.ts';

const BINDING = bodyType('v1', 'Binding', 'io.k8s.api.core.v1.Binding');
const NAMED = { group: '', resource: 'pods/binding' };

interface Binding extends KubeObject {
  readonly target?: { readonly kind?: string; readonly name?: string };
}

/**
 * Binds a pod to a node, once. The scheduler's hot path: copies what changes
 * and no more.
 * @throws StatusError 404, 409 (bound already, being deleted, gated), 422, 500 (no node is named)
 */
export async function bind(pipeline: Pipeline, scope: Scope, name: string, body: unknown): Promise<WriteOutcome> {
  const binding = decodeAs(pipeline.rules, scope, BINDING, body, name) as Binding;
  const { target, metadata } = binding;
  if (target?.kind !== undefined && target.kind !== '' && target.kind !== 'Node') {
    throw invalid(BINDING, name, [
      {
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: ${JSON.stringify(target.kind)}: supported values: "Node", "<empty>"`,
        field: 'target.kind',
      },
    ]);
  }
  if (!target?.name) throw unexpected('target.name: Required value');
  const node = target.name;
  pipeline.admit(scope, 'CREATE', name, binding, undefined);
  const { stored } = await pipeline.write(scope, scope.kind.key(scope.namespace, name), (current): Decision => {
    if (current === undefined) throw notFound({ group: '', resource: 'pods' }, name);
    const pod = current.object as PodLike;
    if (metadata?.uid && metadata.uid !== pod.metadata?.uid) {
      throw conflict(NAMED, name, `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${pod.metadata?.uid}`);
    }
    if (metadata?.resourceVersion && metadata.resourceVersion !== String(current.revision)) throw conflict(NAMED, name, OPTIMISTIC_LOCK);
    if (pod.metadata?.deletionTimestamp !== undefined) {
      throw conflict(NAMED, name, `pod ${name} is being deleted, cannot be assigned to a host`);
    }
    if (pod.spec?.nodeName) throw conflict(NAMED, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
    if ((pod.spec?.schedulingGates ?? []).length > 0) throw conflict(NAMED, name, `pod ${name} has non-empty .spec.schedulingGates`);
    const { nominatedNodeName: _, ...status } = pod.status ?? {};
    const object = {
      ...pod,
      metadata: {
        ...pod.metadata,
        ...(metadata?.annotations && { annotations: { ...pod.metadata?.annotations, ...metadata.annotations } }),
        ...(metadata?.labels && { labels: { ...pod.metadata?.labels, ...metadata.labels } }),
      },
      spec: { ...pod.spec, nodeName: node },
      status: withCondition(status, { type: 'PodScheduled', status: 'True' }, pipeline.now()),
    };
    return { type: 'put', object: object, created: false, more: [] };
  });
  return success(stored.revision);
}
