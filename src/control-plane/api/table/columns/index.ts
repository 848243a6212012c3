import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { AGE, NAME, type Column } from '../column.ts';

const PLAIN: readonly Column[] = [NAME, AGE];

const TABLE: ReadonlyMap<string, readonly Column[]> = new Map();

/** The columns of a kind; name and age where nothing else is known of it. */
export function columnsOf(resource: ResourceInfo): readonly Column[] {
  return TABLE.get(resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`) ?? PLAIN;
}
