import { StatusError } from '../../../types/kubernetes/status.ts';
import { failure } from '../errors.ts';
import { type FieldSet, pathsOf } from './field-set.ts';
import type { Manager } from './managers.ts';

/** A manager, and those of its fields that an apply would change. */
export interface Conflict {
  readonly manager: Manager;
  readonly fields: FieldSet;
}

/** 409 with one cause for each field, worded as the API server does. */
export function conflictError(conflicts: readonly Conflict[]): StatusError {
  const rows = conflicts
    .map(({ manager, fields }) => ({ who: told(manager), paths: pathsOf(fields) }))
    .sort((a, b) => (a.who < b.who ? -1 : a.who > b.who ? 1 : 0));
  const causes = rows.flatMap(({ who, paths }) =>
    paths.map((field) => ({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })),
  );
  const message =
    causes.length === 1
      ? `Apply failed with 1 conflict: ${causes[0]!.message}: ${causes[0]!.field}`
      : `Apply failed with ${causes.length} conflicts: ${rows.flatMap(({ who, paths }) => [`conflicts with ${who}:`, ...paths.map((path) => `- ${path}`)]).join('\n')}`;
  return new StatusError(failure(409, 'Conflict', message, { causes }));
}

function told(manager: Manager): string {
  const name =
    JSON.stringify(manager.name) +
    (manager.subresource === undefined || manager.subresource === '' ? '' : ` with subresource ${JSON.stringify(manager.subresource)}`);
  return manager.operation === 'Update' ? `${name} using ${manager.apiVersion}` : name;
}
