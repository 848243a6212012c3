import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { unexpected } from '../errors.ts';
import { listElement } from './elements.ts';
import { pathsOf, LEAF } from './field-set.ts';
import type { Shape } from './shape.ts';

/**
 * A configuration may name an item of a list once only: else it would not be clear what it wants.
 * @throws StatusError 500, as the API server answers, with the paths
 */
export function refuseDuplicates(shape: Shape, resource: ResourceInfo, applied: KubeObject): void {
  const found: string[] = [];
  walk(shape, applied, '', found);
  if (found.length === 0) return;
  throw untypable(resource, applied, found);
}

/** 500, as the API server answers to a configuration that does not fit the kind. @param faults each with its path; one at least */
export function untypable(resource: ResourceInfo, applied: KubeObject, faults: readonly string[]): Error {
  const { name = '', namespace = '' } = applied.metadata ?? {};
  const told = faults.length === 1 ? faults[0]! : ['errors:', ...faults.map((line) => `  ${line}`)].join('\n');
  return unexpected(`failed to create typed patch object (${namespace}/${name}; ${resource.group}/${resource.version}, Kind=${resource.kind}): ${told}`);
}

function walk(shape: Shape, value: unknown, path: string, found: string[]): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    if (shape.kind !== 'set' && shape.kind !== 'list') return;
    const seen = new Set<string>();
    for (const [at, item] of (value as unknown[]).entries()) {
      if (item === null) {
        found.push(`${path}: element ${at}: associative list with${shape.kind === 'list' ? '' : 'out'} keys may not have a null element`);
        continue;
      }
      const element = listElement(shape, item);
      const told = pathsOf({ [element]: LEAF })[0]!;
      if (seen.has(element)) found.push(`${path}: duplicate entries for key ${told}`);
      seen.add(element);
      if (shape.kind === 'list') walk(shape.element, item, path + told, found);
    }
    return;
  }
  for (const key in value) {
    const inner = shape.kind === 'struct' ? shape.fields.get(key)?.shape : shape.kind === 'map' ? shape.element : undefined;
    if (inner !== undefined) walk(inner, (value as Record<string, unknown>)[key], `${path}.${key}`, found);
  }
}
