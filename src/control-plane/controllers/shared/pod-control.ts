import type { EventRecorder } from '../../../client/events.ts';
import { pods } from '../../../client/resources.ts';
import type { ResourceRef, Transport } from '../../../client/transport.ts';
import { isCode, messageOf } from '../../../lib/errors.ts';
import type { Pod, PodTemplateSpec } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '../../../types/kubernetes/meta.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { controllerReference } from './owner.ts';
import { eventTarget } from './target.ts';

/** True for the refusal to make anything in a namespace that is being deleted: there is nothing left to do then. */
export function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof StatusError && (error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false);
}

/** A pod of a template, owned by `owner`, its name drawn by the API. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject, reference: OwnerReference, metadata: ObjectMeta = {}): Pod {
  const from = template.metadata ?? {};
  return {
    apiVersion: 'v1', kind: 'Pod',
    metadata: {
      // A prefix that is too long for a name is cut by the API where it draws the name.
      ...(metadata.name === undefined && { generateName: `${owner.metadata!.name}-` }),
      ...(from.labels && { labels: from.labels }),
      ...(from.annotations && { annotations: from.annotations }),
      ...(from.finalizers && { finalizers: from.finalizers }),
      ...metadata,
      ownerReferences: [reference],
    },
    ...(template.spec && { spec: template.spec }),
  };
}

/** Makes and deletes pods for owners of one kind, and records what became of it. */
export class PodControl {
  readonly #transport: Transport;
  readonly #events: EventRecorder;
  readonly #resource: ResourceRef;

  constructor(transport: Transport, events: EventRecorder, resource: ResourceRef) {
    this.#transport = transport;
    this.#events = events;
    this.#resource = resource;
  }

  reference(owner: KubeObject): OwnerReference {
    return controllerReference(this.#resource, owner);
  }

  /** @throws what the API answered, after a warning event; a refusal since the namespace is going away leaves no event */
  async create(owner: KubeObject, pod: Pod): Promise<Pod> {
    let made: Pod;
    try {
      made = await this.#transport.create<Pod>(pods, owner.metadata!.namespace, pod);
    } catch (error) {
      if (!isNamespaceTerminating(error)) {
        this.#events.event(eventTarget(this.#resource, owner), 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`);
      }
      throw error;
    }
    this.#events.event(eventTarget(this.#resource, owner), 'Normal', 'SuccessfulCreate', `Created pod: ${made.metadata!.name}`);
    return made;
  }

  /** @returns false when it was gone already */
  async delete(owner: KubeObject, pod: Pod): Promise<boolean> {
    const { namespace, name, uid } = pod.metadata!;
    try {
      await this.#transport.delete(pods, namespace, name!, { ...(uid !== undefined && { preconditions: { uid } }) });
    } catch (error) {
      if (isCode(error, 'not-found') || isCode(error, 'conflict')) return false; // gone, or another pod has its name
      this.#events.event(eventTarget(this.#resource, owner), 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
      throw error;
    }
    this.#events.event(eventTarget(this.#resource, owner), 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    return true;
  }
}

/**
 * Calls `fn` `count` times, in growing groups (1, 2, 4, …) that run at once: a
 * call that fails ends it after its group, so that a quota that is used up
 * costs a few calls and not hundreds.
 */
export async function slowStart(count: number, fn: (index: number) => Promise<unknown>): Promise<{ readonly successes: number; readonly error?: unknown }> {
  let successes = 0;
  let begun = 0;
  for (let size = 1; begun < count; size *= 2) {
    const group = Math.min(size, count - begun);
    const results = await Promise.allSettled(Array.from({ length: group }, (_, n) => fn(begun + n)));
    begun += group;
    successes += results.filter(({ status }) => status === 'fulfilled').length;
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) return { successes, error: failed.reason };
  }
  return { successes };
}
