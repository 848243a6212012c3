import { StatusError, type StatusCause } from '../../../types/kubernetes/status.ts';
import { failure, qualified } from '../errors.ts';

type Named = { readonly group: string; readonly resource: string };

function details(resource: Named, name: string): { name?: string; group?: string; kind: string } {
  return { ...(name && { name }), ...(resource.group && { group: resource.group }), kind: resource.resource };
}

/** 409: the name is taken. */
export function alreadyExists(resource: Named, name: string, options: { readonly generated?: boolean; readonly deleting?: boolean } = {}): StatusError {
  const tail = options.generated === true ? ', the server was not able to generate a unique name for the object' : '';
  const head = options.deleting === true ? 'object is being deleted: ' : '';
  return new StatusError(failure(409, 'AlreadyExists', `${head}${qualified(resource)} "${name}" already exists${tail}`, {
    ...details(resource, name), ...(options.generated === true && { retryAfterSeconds: 1 }),
  }));
}

/** What a conflict says when somebody else wrote the object in between; clients compare this text. */
export const OPTIMISTIC_LOCK = 'the object has been modified; please apply your changes to the latest version and try again';

/** 410: a revision whose history is forgotten. `continueToken` lets a client go on with an inconsistent list. */
export function expired(message: string, continueToken?: string): StatusError {
  const status = failure(410, 'Expired', message);
  if (continueToken === undefined) return new StatusError(status);
  return new StatusError({ ...status, metadata: { continue: continueToken } as unknown as Record<string, never> });
}

/** 504: a revision that this server has not reached. */
export function tooLargeResourceVersion(wanted: number, current: number): StatusError {
  return new StatusError(failure(504, 'Timeout', `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1,
  }));
}

/** 403 because the namespace is on its way out; namespace controllers look for the cause. */
export function namespaceTerminating(resource: Named, name: string, namespace: string): StatusError {
  const causes: StatusCause[] = [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }];
  const object = name === '' ? `${qualified(resource)} is` : `${qualified(resource)} "${name}" is`;
  return new StatusError(
    failure(
      403,
      'Forbidden',
      `${object} forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
      { ...details(resource, name), causes },
    ),
  );
}

export function notImplemented(message: string): StatusError {
  return new StatusError(failure(501, 'NotImplemented', message));
}
