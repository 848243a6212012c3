import type { LabelMatcher } from '../../../client/label-selector.ts';
import type { ResourceRef, Transport } from '../../../client/transport.ts';
import { isCode, LongshoreError } from '../../../lib/errors.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { controllerOf, controllerReference } from './owner.ts';

export interface ClaimOptions<T extends KubeObject> {
  readonly transport: Transport;
  /** What the owner is, and what it claims. */
  readonly ownerResource: ResourceRef;
  readonly resource: ResourceRef;
  readonly owner: KubeObject;
  readonly matches: LabelMatcher;
  /** A further condition for adoption. */
  readonly adopts?: (object: T) => boolean;
  /** Given to what is adopted. */
  readonly finalizer?: string;
}

/**
 * Makes ownership follow the selector: what matches and belongs to nobody is
 * adopted, what is ours and matches no longer is released.
 * @param candidates what the owner controls, and the orphans of its namespace
 * @returns what belongs to the owner now, in the order of the candidates
 */
export async function claim<T extends KubeObject>(options: ClaimOptions<T>, candidates: Iterable<T>): Promise<T[]> {
  const { owner, matches } = options;
  const claimed: T[] = [];
  const ownerUid = owner.metadata!.uid;
  const leaving = owner.metadata!.deletionTimestamp !== undefined;
  let checked: Promise<void> | undefined;
  for (const object of candidates) {
    const controller = controllerOf(object);
    if (controller !== undefined) {
      if (controller.uid !== ownerUid) continue;
      if (matches(object.metadata?.labels)) claimed.push(object);
      else if (!leaving) await release(options, object);
      continue;
    }
    if (
      leaving ||
      object.metadata?.deletionTimestamp !== undefined ||
      !matches(object.metadata?.labels) ||
      (options.adopts && !options.adopts(object))
    ) {
      continue;
    }
    await (checked ??= recheck(options));
    const adopted = await adopt(options, object);
    if (adopted !== undefined) claimed.push(adopted);
  }
  return claimed;
}

/** Nothing is adopted for an owner that is gone: the cache may not know yet. */
async function recheck({ transport, ownerResource, owner }: Pick<ClaimOptions<KubeObject>, 'transport' | 'ownerResource' | 'owner'>): Promise<void> {
  const { namespace, name, uid } = owner.metadata!;
  const fresh = await transport.get(ownerResource, namespace, name!);
  const said = `${ownerResource.kind} ${namespace}/${name}`;
  if (fresh.metadata?.uid !== uid) {
    throw new LongshoreError('conflict', `the original ${said} is gone: it has uid ${fresh.metadata?.uid} now, not ${uid}`, {
      object: said,
    });
  }
  if (fresh.metadata?.deletionTimestamp !== undefined) {
    throw new LongshoreError('conflict', `${said} is being deleted since ${fresh.metadata.deletionTimestamp}`, { object: said });
  }
}

async function adopt<T extends KubeObject>({ transport, ownerResource, resource, owner, finalizer }: ClaimOptions<T>, object: T): Promise<T | undefined> {
  const { namespace, name, uid, resourceVersion, ownerReferences = [], finalizers = [] } = object.metadata!;
  const patch = {
    metadata: {
      uid,
      resourceVersion,
      ownerReferences: [...ownerReferences, controllerReference(ownerResource, owner)],
      ...(finalizer !== undefined && !finalizers.includes(finalizer) && { finalizers: [...finalizers, finalizer] }),
    },
  };
  try {
    return await transport.patch<T>(resource, namespace, name!, 'merge', patch);
  } catch (error) {
    if (isCode(error, 'not-found')) return undefined; // gone meanwhile
    throw error;
  }
}

async function release<T extends KubeObject>({ transport, resource, owner }: ClaimOptions<T>, object: T): Promise<void> {
  const { namespace, name, uid, resourceVersion, ownerReferences = [] } = object.metadata!;
  const rest = ownerReferences.filter((reference) => reference.uid !== owner.metadata!.uid);
  const patch = { metadata: { uid, resourceVersion, ownerReferences: rest.length > 0 ? rest : null } };
  try {
    await transport.patch(resource, namespace, name!, 'merge', patch);
  } catch (error) {
    if (!isCode(error, 'not-found')) throw error;
  }
}
