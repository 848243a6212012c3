import { nameSuffix, uuid } from '../../../lib/random.ts';
import { isReason } from '../../../types/kubernetes/status.ts';
import type { WriteOutcome } from '../contract.ts';
import { invalid, unexpected } from '../errors.ts';
import { jsonCopy } from './equal.ts';
import { alreadyExists } from './errors.ts';
import type { Decision, Pipeline } from './pipeline.ts';
import { stampRequester } from './requester.ts';
import { decodeBody, settleNamespace, type Scope } from './scope.ts';
import type { Draft } from './strategy.ts';

/** How many names are drawn for generateName before the server gives up. */
const NAME_ATTEMPTS = 8;
/** What generateName keeps of its prefix, so that name and suffix fit a label. */
const LONGEST_PREFIX = 63 - 5;

/**
 * Creates an object. What is wrong with the request alone is thrown at once.
 * @throws StatusError 400, 403, 404 (no such namespace), 409 (taken), 422, 500 (it has a resourceVersion)
 */
export function create(pipeline: Pipeline, scope: Scope, body: unknown): Promise<WriteOutcome> {
  const draft = decodeBody(pipeline.rules, scope, body);
  settleNamespace(scope, draft);
  if (draft.metadata.resourceVersion !== undefined && draft.metadata.resourceVersion !== '' && draft.metadata.resourceVersion !== '0') {
    throw unexpected('resourceVersion should not be set on objects to be created');
  }
  const prefix = draft.metadata.generateName;
  if (draft.metadata.name !== undefined && draft.metadata.name !== '') return createNamed(pipeline, scope, draft, false);
  if (prefix === undefined || prefix === '') {
    throw invalid(scope.kind.info, '', [{ reason: 'FieldValueRequired', message: 'Required value: name or generateName is required', field: 'metadata.name' }]);
  }
  return createGenerated(pipeline, scope, draft, prefix);
}

async function createGenerated(pipeline: Pipeline, scope: Scope, draft: Draft, prefix: string): Promise<WriteOutcome> {
  for (let attempt = 1; ; attempt++) {
    const copy = attempt === NAME_ATTEMPTS ? draft : jsonCopy(draft);
    copy.metadata.name = prefix.slice(0, LONGEST_PREFIX) + nameSuffix(pipeline.random);
    try {
      return await createNamed(pipeline, scope, copy, true);
    } catch (error) {
      if (attempt === NAME_ATTEMPTS || !isReason(error, 'AlreadyExists')) throw error;
    }
  }
}

function createNamed(pipeline: Pipeline, scope: Scope, draft: Draft, generated: boolean): Promise<WriteOutcome> {
  const { kind } = scope;
  const name = draft.metadata.name!;
  pipeline.checkNamespace(scope, name);
  const finished = prepareCreate(pipeline, scope, draft);
  const written = pipeline.write(scope, kind.key(scope.namespace, name), (current): Decision => {
    if (current !== undefined) {
      throw alreadyExists(kind.info, name, { generated, deleting: current.object.metadata?.deletionTimestamp !== undefined });
    }
    const object = pipeline.accompanied(kind) ? jsonCopy(finished) : finished; // What is allotted now must not be there when this is decided anew.
    const more = pipeline.companions(scope, object, undefined);
    return { type: 'put', object: object, created: true, more };
  });
  return written.then(({ stored }) => ({ stored: kind.view(stored), created: true }));
}

/** Everything that happens to a new object before it is written: system fields, admission, strategy, validation. */
export function prepareCreate(pipeline: Pipeline, scope: Scope, draft: Draft, tracked = false): Draft {
  const { strategy } = scope.kind;
  const { metadata } = draft;
  // Before admission: what the server itself sets is nobody's.
  if (!tracked) pipeline.track(scope, draft, undefined);
  metadata.uid = uuid(pipeline.random);
  metadata.creationTimestamp = pipeline.now();
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  const object = pipeline.mutate(scope, 'CREATE', metadata.name, draft, undefined);
  delete object.metadata.generation;
  strategy.prepareForCreate(object);
  stampRequester(scope, object);
  if (strategy.generation) object.metadata.generation = 1;
  pipeline.validate(scope, object, undefined);
  pipeline.admit(scope, 'CREATE', metadata.name, object, undefined);
  pipeline.advise(scope, object, undefined);
  return object;
}
