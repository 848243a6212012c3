import type {
  LocalSubjectAccessReview,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SubjectAccessReview,
  SubjectAccessReviewSpec,
} from '../../../../types/kubernetes/generated/authorization-v1.ts';
import type { ObjectMeta } from '../../../../types/kubernetes/meta.ts';
import { each } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { rulesOf } from './kind.ts';

const SPEC = new Path('spec');

function validateAttributes(spec: Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>, errors: Errors): void {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if (resource !== undefined && path !== undefined) {
    errors.invalid(
      SPEC.child('nonResourceAttributes'),
      { Path: path.path ?? '', Verb: path.verb ?? '' },
      'cannot be specified in combination with resourceAttributes',
    );
  }
  if (resource === undefined && path === undefined) {
    errors.invalid(SPEC.child('resourceAttributes'), null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified');
  }
}

function validateSelectors(attributes: ResourceAttributes | undefined, errors: Errors): void {
  for (const field of ['fieldSelector', 'labelSelector'] as const) {
    const selector = attributes?.[field];
    if (selector === undefined) continue;
    const at = new Path('spec.resourceAttributes').child(field);
    const raw = selector.rawSelector ?? '';
    const requirements = each<unknown>(selector.requirements).length;
    if (raw !== '' && requirements > 0) errors.invalid(at.child('rawSelector'), raw, 'may not specified at the same time as requirements');
    if (raw === '' && requirements === 0) {
      errors.required(at.child('requirements'), `when ${String(at)} is specified, requirements or rawSelector is required`);
    }
  }
}

function mustBeEmpty(metadata: ObjectMeta | undefined, except: readonly string[], why: string, errors: Errors): void {
  // Set by the server before anything is looked at.
  const own = Object.keys(metadata ?? {}).filter(
    (key) => !['managedFields', 'creationTimestamp', 'uid', ...except].includes(key) && (metadata as Record<string, unknown>)[key] !== '',
  );
  if (own.length > 0) errors.invalid(new Path('metadata'), metadata, why);
}

function validateSubject(spec: SubjectAccessReviewSpec, errors: Errors): void {
  validateAttributes(spec, errors);
  if ((spec.user ?? '') === '' && each(spec.groups).length === 0) {
    errors.invalid(SPEC.child('user'), '', 'at least one of user or group must be specified');
  }
  validateSelectors(spec.resourceAttributes, errors);
}

/** Reviews are asked, never stored, and have no names: their metadata is not looked at as others' is. */
export const SUBJECT_ACCESS_REVIEW = rulesOf<SubjectAccessReview>({
  nameless: true,
  create: (review, errors) => {
    validateSubject(review.spec, errors);
    mustBeEmpty(review.metadata, [], 'must be empty', errors);
  },
});

export const SELF_SUBJECT_ACCESS_REVIEW = rulesOf<SelfSubjectAccessReview>({
  nameless: true,
  create: (review, errors) => {
    validateAttributes(review.spec, errors);
    validateSelectors(review.spec.resourceAttributes, errors);
    mustBeEmpty(review.metadata, [], 'must be empty', errors);
  },
});

export const LOCAL_SUBJECT_ACCESS_REVIEW = rulesOf<LocalSubjectAccessReview>({
  nameless: true,
  create: (review, errors) => {
    validateSubject(review.spec, errors);
    mustBeEmpty(review.metadata, ['namespace'], 'must be empty except for namespace', errors);
    const { resourceAttributes: resource, nonResourceAttributes: path } = review.spec;
    if (resource !== undefined && (resource.namespace ?? '') !== (review.metadata?.namespace ?? '')) {
      errors.invalid(new Path('spec.resourceAttributes.namespace'), resource.namespace ?? '', 'must match metadata.namespace');
    }
    if (path !== undefined) {
      errors.invalid(
        new Path('spec.nonResourceAttributes'),
        { Path: path.path ?? '', Verb: path.verb ?? '' },
        'disallowed on this kind of request',
      );
    }
  },
});

export const NAMELESS = rulesOf({ nameless: true });
