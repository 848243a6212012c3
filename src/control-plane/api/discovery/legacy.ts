import { createHash } from 'node:crypto';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { storageOf } from '../registry/conversion.ts';
import type { ResourceTable } from '../resource-table.ts';

// Discovery as it was before aggregation: one document for the groups, one for each group, one for each version.

function groupVersion(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`;
}

/** GET /api. `address` is host:port, as clients outside of the cluster reach this server. */
export function apiVersions(address: string): unknown {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }] };
}

/** One group with its versions, the preferred one first; undefined when it is not served. */
export function apiGroup(resources: ResourceTable, group: string): Record<string, unknown> | undefined {
  const versions = resources.versions(group).map((version) => ({ groupVersion: groupVersion(group, version), version }));
  return versions.length === 0 ? undefined : { name: group, versions, preferredVersion: versions[0] };
}

/** GET /apis */
export function apiGroupList(resources: ResourceTable): unknown {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: resources.groups().filter((group) => group !== '').map((group) => apiGroup(resources, group)) };
}

/** GET /api/v1 and /apis/GROUP/VERSION; undefined when it is not served. */
export function apiResourceList(resources: ResourceTable, group: string, version: string): unknown {
  const rows = resources.resources(group, version);
  if (rows.length === 0) return undefined;
  return { kind: 'APIResourceList', ...(group !== '' && { apiVersion: 'v1' }), groupVersion: groupVersion(group, version), resources: rows.flatMap(entries) };
}

function entries(row: ResourceInfo): unknown[] {
  const own = {
    name: row.resource, singularName: row.singular, namespaced: row.namespaced, kind: row.kind, verbs: row.verbs,
    ...(row.shortNames.length > 0 && { shortNames: row.shortNames }), ...(row.categories.length > 0 && { categories: row.categories }),
    ...(row.verbs.includes('list') && row.verbs.includes('create') && { storageVersionHash: storageVersionHash(row) }),
  };
  const below = row.subresources.map((sub) => ({
    name: `${row.resource}/${sub.name}`,
    singularName: '',
    namespaced: row.namespaced,
    ...(sub.group !== undefined && { group: sub.group }),
    ...(sub.version !== undefined && { version: sub.version }),
    kind: sub.kind,
    verbs: sub.verbs,
  }));
  return [own, ...below];
}

/** An opaque name for how the kind is stored; it changes when the stored version does. */
function storageVersionHash(row: ResourceInfo): string {
  const stored = storageOf(row).apiVersion ?? groupVersion(row.group, row.version);
  return createHash('sha256').update(`${stored.includes('/') ? stored : `/${stored}`}/${row.kind}`).digest().subarray(0, 8).toString('base64');
}
