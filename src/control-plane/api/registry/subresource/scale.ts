import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import { formatLabelSelector } from '../../../../types/kubernetes/selectors.ts';
import type { PatchBody, WriteOutcome } from '../../contract.ts';
import { badRequest, invalid } from '../../errors.ts';
import { patchObject } from '../../patch/patch.ts';
import { applyOver } from '../apply.ts';
import { draftOf, type Pipeline } from '../pipeline.ts';
import type { Scope } from '../scope.ts';
import { Stored } from '../stored.ts';
import type { Draft } from '../strategy.ts';
import type { SubresourceHandler } from '../subresources.ts';
import { change } from '../update.ts';
import { bodyType, decodeAs } from './body.ts';

const SCALE = bodyType('autoscaling/v1', 'Scale', 'io.k8s.api.autoscaling.v1.Scale');

interface Scale extends KubeObject {
  readonly spec?: { readonly replicas?: number };
}

interface Scalable extends KubeObject {
  readonly spec?: { readonly replicas?: number; readonly selector?: unknown };
  readonly status?: { readonly replicas?: number };
}

/** An object seen as a Scale (autoscaling/v1). */
function scaleOf(parent: Stored): Stored {
  const { metadata, spec, status, kind } = parent.object as Scalable;
  const selector = kind === 'ReplicationController'
    ? Object.entries((spec?.selector ?? {}) as Record<string, string>).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`).join(',')
    : formatLabelSelector(spec?.selector as Parameters<typeof formatLabelSelector>[0]);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata ?? {};
  return Stored.of({
    kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: spec?.replicas ? { replicas: spec.replicas } : {}, status: { replicas: status?.replicas ?? 0, ...(selector && { selector }) },
  } as KubeObject, parent.revision);
}

/** `scale` of workloads: how many replicas, whatever the kind. */
export function scaleHandler(pipeline: Pipeline): SubresourceHandler {
  const write = async (scope: Scope, name: string, next: (old: KubeObject) => Scale): Promise<WriteOutcome> => {
    const outcome = await change(pipeline, scope, name, {
      allowCreate: false,
      derived: true,
      next: (old) => {
        const scale = next(old!);
        const replicas = scale.spec?.replicas ?? 0;
        if (replicas < 0) {
          throw invalid(SCALE, name, [
            {
              reason: 'FieldValueInvalid',
              message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
              field: 'spec.replicas',
            },
          ]);
        }
        return withReplicas(old!, replicas, scale);
      },
    });
    return { stored: scaleOf(outcome.stored as Stored), created: false };
  };
  return {
    read: (_kind, parent) => scaleOf(parent),
    update: (scope, name, body) => {
      const scale = decodeAs(pipeline.rules, scope, SCALE, body, name) as Scale;
      return write(scope, name, () => scale);
    },
    patch: async (scope, name, body: PatchBody) => {
      if (body.type === 'apply') return applyScale(pipeline, scope, name, body.body);
      return write(scope, name, (old) => decodeAs(pipeline.rules, scope, SCALE, patchObject(SCALE, body, scaleOf(Stored.of(old, 0)).object), name));
    },
  };
}

function withReplicas(old: KubeObject, replicas: number, scale: Scale): Draft {
  const draft = draftOf(old);
  draft.spec = { ...(draft.spec as object), replicas };
  draft.metadata.resourceVersion = scale.metadata?.resourceVersion;
  if (scale.metadata?.uid) draft.metadata.uid = scale.metadata.uid;
  return draft;
}

/** Applying a Scale is applying the parent's spec.replicas. */
async function applyScale(pipeline: Pipeline, scope: Scope, name: string, body: Scale): Promise<WriteOutcome> {
  const scale = decodeAs(pipeline.rules, scope, SCALE, body, name) as Scale;
  if (scale.spec?.replicas === undefined) throw badRequest('an applied Scale must have spec.replicas');
  const applied = {
    apiVersion: scope.kind.apiVersion,
    kind: scope.kind.kind,
    metadata: { name, namespace: scope.namespace },
    spec: { replicas: scale.spec.replicas },
  };
  const outcome = await applyOver(pipeline, scope, name, applied);
  return { stored: scaleOf(outcome.stored as Stored), created: false };
}
