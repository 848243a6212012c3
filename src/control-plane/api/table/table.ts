import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { StoredObject } from '../contract.ts';
import type { TableMaker } from '../http/respond.ts';
import { NAME_AND_DATE } from './columns/core.ts';
import { columnsOf } from './columns/index.ts';
import { SCALE } from './columns/workloads.ts';
import type { Cell, Column } from './column.ts';

/** meta.k8s.io/v1 Table: what `kubectl get` prints. */
export class Tables implements TableMaker {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  table(resource: ResourceInfo, items: readonly StoredObject[], include: 'None' | 'Metadata' | 'Object', headers: boolean): unknown {
    const columns = items[0]?.object.kind === 'Scale' ? SCALE : columnsOf(resource);
    const now = this.#clock.now();
    return {
      kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: items.length === 1 ? { resourceVersion: items[0]!.object.metadata?.resourceVersion ?? '' } : {},
      columnDefinitions: headers ? columns.map(definition) : null,
      // Upstream's general converter leaves an empty list out; its own columns do not.
      rows: items.length === 0 && columns === NAME_AND_DATE ? null : items.map(({ object }) => row(columns, object, include, now)),
    };
  }
}

function definition({ name, type, format, description, priority }: Column): unknown {
  return { name, type, format, description, priority };
}

function row(columns: readonly Column[], object: KubeObject, include: 'None' | 'Metadata' | 'Object', now: number): unknown {
  const cells: Cell[] = columns.map((column) => column.cell(object, now));
  if (include === 'None') return { cells, object: null };
  return { cells, object: include === 'Object' ? object : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata ?? {} } };
}
