import { controllerRevisions } from '../../../client/resources.ts';
import type { ResourceRef, Transport } from '../../../client/transport.ts';
import { isCode, LongshoreError } from '../../../lib/errors.ts';
import type { ControllerRevision } from '../../../types/kubernetes/generated/apps-v1.ts';
import type { PodTemplateSpec } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { semanticEqual } from './equal.ts';
import { controllerReference } from './owner.ts';
import { hashOf } from './template-hash.ts';

/** What of an owner a revision records: the strategic merge patch that `kubectl rollout undo` applies. */
function revisionData(template: PodTemplateSpec): unknown {
  return inOrder({ spec: { template: { ...template, $patch: 'replace' } } });
}

/** With the keys of all objects in order: clients compare the bytes of a revision with those that they make of the owner. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, inOrder(one)]));
}

/** The template that a revision stands for; undefined when it holds none. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec | undefined {
  const data = revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined;
  if (data?.spec?.template === undefined) return undefined;
  const { $patch: _, ...template } = data.spec.template;
  return template;
}

export function recordsTemplate(revision: ControllerRevision, template: PodTemplateSpec): boolean {
  const recorded = templateOf(revision);
  return recorded !== undefined && semanticEqual(recorded, template);
}

/** By number, then by age, then by name. */
export function byRevision(a: ControllerRevision, b: ControllerRevision): number {
  const age = (revision: ControllerRevision): string => `${revision.metadata!.creationTimestamp ?? ''} ${revision.metadata!.name}`;
  return a.revision - b.revision || (age(a) < age(b) ? -1 : 1);
}

export interface NewRevision {
  readonly transport: Transport;
  readonly ownerResource: ResourceRef;
  readonly owner: KubeObject;
  readonly template: PodTemplateSpec;
  readonly revision: number;
  readonly collisionCount: number | undefined;
  /** The label that carries the hash, and the other labels and annotations. */
  readonly hashLabel: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export type CreatedRevision = { readonly created: ControllerRevision } | { readonly collision: true };

/** Records a template. When the name is taken by a revision of another template the caller is told to raise its collisionCount. */
export async function createRevision({
  transport,
  ownerResource,
  owner,
  template,
  revision,
  collisionCount,
  hashLabel,
  annotations,
}: NewRevision): Promise<CreatedRevision> {
  const hash = hashOf(template, collisionCount);
  const { namespace, name } = owner.metadata!;
  const body: ControllerRevision = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name!.slice(0, 223)}-${hash}`,
      namespace: namespace!,
      labels: { ...template.metadata?.labels, [hashLabel]: hash },
      ...(annotations && { annotations }),
      ownerReferences: [controllerReference(ownerResource, owner)],
    },
    data: revisionData(template),
    revision,
  };
  try {
    return { created: await transport.create<ControllerRevision>(controllerRevisions, namespace, body) };
  } catch (error) {
    if (!isCode(error, 'already-exists')) throw error;
  }
  const present = await transport.get<ControllerRevision>(controllerRevisions, namespace, body.metadata!.name!);
  if (!recordsTemplate(present, template)) return { collision: true };
  if (present.metadata?.ownerReferences?.some(({ uid }) => uid === owner.metadata!.uid)) return { created: present };
  // It belonged to an owner of the same name that is gone, and goes with it.
  throw new LongshoreError('conflict', `the ControllerRevision ${namespace}/${body.metadata!.name} belongs to another owner`, {
    object: `ControllerRevision ${namespace}/${body.metadata!.name}`,
  });
}

/** Sets a revision's number. */
export function renumber(transport: Transport, revision: ControllerRevision, number: number): Promise<ControllerRevision> {
  const { namespace, name } = revision.metadata!;
  return transport.update<ControllerRevision>(controllerRevisions, namespace, name!, { ...revision, revision: number });
}

/** Deletes the oldest of `old` beyond `limit`, sparing those in use. */
export async function pruneRevisions(
  transport: Transport,
  old: readonly ControllerRevision[],
  limit: number,
  inUse: (revision: ControllerRevision) => boolean,
): Promise<void> {
  const free = old.filter((revision) => !inUse(revision)).toSorted(byRevision);
  for (const { metadata } of free.slice(0, Math.max(free.length - limit, 0))) {
    try {
      await transport.delete(controllerRevisions, metadata!.namespace, metadata!.name!, {
        ...(metadata!.uid !== undefined && { preconditions: { uid: metadata!.uid } }),
      });
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }
}
