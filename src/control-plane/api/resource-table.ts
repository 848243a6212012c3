import type { ResourceInfo } from '../../types/kubernetes/resource-info.ts';
import { noSuchResource } from './errors.ts';

/** The resources that are served, found by what a path or a client names. Rows may come and go (custom resources); `generation` tells caches of it. */
export class ResourceTable {
  readonly #rows = new Map<string, ResourceInfo>();
  readonly #groups = new Map<string, Map<string, ResourceInfo[]>>();
  #generation = 0;

  constructor(rows: readonly ResourceInfo[]) {
    for (const row of rows) this.add(row);
  }

  /** Raised by every change. */
  get generation(): number {
    return this.#generation;
  }

  add(row: ResourceInfo): void {
    const key = `${row.group}/${row.version}/${row.resource}`;
    const versions = this.#groups.get(row.group) ?? new Map<string, ResourceInfo[]>();
    const rows = (versions.get(row.version) ?? []).filter((other) => other.resource !== row.resource);
    rows.push(row);
    versions.set(row.version, rows);
    this.#groups.set(row.group, versions);
    this.#rows.set(key, row);
    this.#generation++;
  }

  remove(group: string, version: string, resource: string): void {
    if (!this.#rows.delete(`${group}/${version}/${resource}`)) return;
    const versions = this.#groups.get(group)!;
    const rows = versions.get(version)!.filter((row) => row.resource !== resource);
    if (rows.length > 0) versions.set(version, rows);
    else versions.delete(version);
    if (versions.size === 0) this.#groups.delete(group);
    this.#generation++;
  }

  find(group: string, version: string, resource: string): ResourceInfo | undefined {
    return this.#rows.get(`${group}/${version}/${resource}`);
  }

  /** @throws StatusError 404 */
  require(ref: { readonly group: string; readonly version: string; readonly resource: string }): ResourceInfo {
    const row = this.#rows.get(`${ref.group}/${ref.version}/${ref.resource}`);
    if (row === undefined) throw noSuchResource();
    return row;
  }

  /** In whatever version is served: the first that was added. */
  findAny(group: string, resource: string): ResourceInfo | undefined {
    for (const rows of this.#groups.get(group)?.values() ?? []) {
      const row = rows.find((candidate) => candidate.resource === resource);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  /** Groups in the order in which they were added, the core group ('') among them. */
  groups(): readonly string[] {
    return [...this.#groups.keys()];
  }

  versions(group: string): readonly string[] {
    return [...(this.#groups.get(group)?.keys() ?? [])];
  }

  resources(group: string, version: string): readonly ResourceInfo[] {
    return this.#groups.get(group)?.get(version) ?? [];
  }

  all(): IterableIterator<ResourceInfo> {
    return this.#rows.values();
  }
}
