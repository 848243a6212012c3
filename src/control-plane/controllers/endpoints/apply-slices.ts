import type { RecentWrites } from '../../../client/recent-writes.ts';
import { endpointSlices } from '../../../client/resources.ts';
import type { Transport } from '../../../client/transport.ts';
import { isCode } from '../../../lib/errors.ts';
import type { EndpointSlice } from '../../../types/kubernetes/generated/discovery-v1.ts';
import { isNamespaceTerminating } from '../shared/pod-control.ts';
import type { SlicePlan } from './slices.ts';

/** Writes a plan: what grows before what shrinks, so that no endpoint is missing in between. */
export async function applySlices(
  transport: Transport,
  writes: RecentWrites<EndpointSlice>,
  namespace: string,
  plan: SlicePlan,
  cached: (slice: EndpointSlice) => EndpointSlice | undefined,
): Promise<void> {
  for (const slice of plan.create) {
    try {
      writes.note(await transport.create<EndpointSlice>(endpointSlices, namespace, slice), undefined);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      throw error;
    }
  }
  for (const slice of plan.update) {
    writes.note(await transport.update<EndpointSlice>(endpointSlices, namespace, slice.metadata!.name!, slice), cached(slice));
  }
  for (const { metadata } of plan.delete) {
    try {
      await transport.delete(endpointSlices, namespace, metadata!.name!, { ...(metadata!.uid !== undefined && { preconditions: { uid: metadata!.uid } }) });
    } catch (error) {
      if (!isCode(error, 'not-found') && !isCode(error, 'conflict')) throw error;
    }
  }
}
