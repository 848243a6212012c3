import type { SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview } from '../../../types/kubernetes/generated/authorization-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { AuthorizationAttributes, UserInfo } from '../contract.ts';
import { badRequest, invalid } from '../errors.ts';
import type { Virtual } from '../front.ts';
import type { Access } from './access.ts';
import { MASTERS } from './chain.ts';
import type { RbacAuthorizer } from './rbac.ts';

const GROUP = 'authorization.k8s.io';

/** Turns a body that nobody has looked at into an object of the kind. @throws StatusError 400 */
export type DecodeBody = (group: string, resource: string, body: unknown) => KubeObject;

/** The four resources of authorization.k8s.io: questions about who may do what. */
export function accessReviews(access: Access, rbac: RbacAuthorizer, decode: DecodeBody): readonly Virtual[] {
  const answer = <T extends SelfSubjectAccessReview | SubjectAccessReview>(review: T, user: UserInfo): T => {
    const attributes = attributesOf(review, user);
    const decision = access.decide(attributes);
    const reason = decision.allowed && !user.groups.includes(MASTERS) ? decision.reason || rbac.explain(attributes) : decision.reason;
    return { ...review, metadata: withoutName(review), status: { allowed: decision.allowed, ...(reason !== '' && { reason }) } };
  };
  return [
    {
      group: GROUP, resource: 'selfsubjectaccessreviews',
      create: (context, _namespace, _name, body) => answer(decode(GROUP, 'selfsubjectaccessreviews', body) as SelfSubjectAccessReview, context.user),
    },
    {
      group: GROUP, resource: 'subjectaccessreviews',
      create: (_context, _namespace, _name, body) => {
        const review = decode(GROUP, 'subjectaccessreviews', body) as SubjectAccessReview;
        return answer(review, subjectOf(review));
      },
    },
    {
      group: GROUP, resource: 'localsubjectaccessreviews',
      create: (_context, namespace, _name, body) => {
        const review = decode(GROUP, 'localsubjectaccessreviews', body) as SubjectAccessReview;
        if (review.spec.resourceAttributes === undefined) {
          throw refused('spec.resourceAttributes', 'Invalid value: null: must specify resourceAttributes');
        }
        if (review.spec.resourceAttributes.namespace !== namespace) {
          throw refused(
            'spec.resourceAttributes.namespace',
            `Invalid value: ${JSON.stringify(review.spec.resourceAttributes.namespace ?? '')}: must match metadata.namespace`,
          );
        }
        return answer(review, subjectOf(review));
      },
    },
    {
      group: GROUP,
      resource: 'selfsubjectrulesreviews',
      create: (context, _namespace, _name, body) =>
        rulesReview(decode(GROUP, 'selfsubjectrulesreviews', body) as SelfSubjectRulesReview, context.user, rbac),
    },
  ];
}

function attributesOf(review: SelfSubjectAccessReview | SubjectAccessReview, user: UserInfo): AuthorizationAttributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = review.spec;
  if (resource !== undefined && path !== undefined) {
    throw refused(
      'spec.nonResourceAttributes',
      'Invalid value: "nonResourceAttributes": cannot be specified in combination with resourceAttributes',
    );
  }
  if (path !== undefined) {
    return { user, verb: path.verb ?? '', group: '', resource: '', subresource: '', namespace: '', name: '', path: path.path ?? '' };
  }
  if (resource === undefined) {
    throw refused(
      'spec.resourceAttributes',
      'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
    );
  }
  return {
    user,
    verb: resource.verb ?? '',
    group: resource.group ?? '',
    resource: resource.resource ?? '',
    subresource: resource.subresource ?? '',
    namespace: resource.namespace ?? '',
    name: resource.name ?? '',
  };
}

function subjectOf(review: SubjectAccessReview): UserInfo {
  const { user = '', groups = [], uid, extra } = review.spec;
  if (user === '' && groups.length === 0) throw refused('spec.user', 'Invalid value: "": at least one of user or group must be specified');
  return { name: user, groups, ...(uid !== undefined && { uid }), ...(extra && { extra }) };
}

function withoutName(review: KubeObject): NonNullable<KubeObject['metadata']> {
  return review.metadata ?? {};
}

function rulesReview(review: SelfSubjectRulesReview, user: UserInfo, rbac: RbacAuthorizer): SelfSubjectRulesReview {
  const namespace = review.spec.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  const rules = user.groups.includes(MASTERS)
    ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }]
    : rbac.rulesFor(user, namespace);
  return {
    ...review, metadata: withoutName(review), spec: {},
    status: {
      resourceRules: rules
        .filter((rule) => rule.resources?.length)
        .map((rule) => ({
          verbs: rule.verbs,
          apiGroups: rule.apiGroups ?? [],
          resources: rule.resources ?? [],
          ...(rule.resourceNames?.length && { resourceNames: rule.resourceNames }),
        })),
      nonResourceRules: rules
        .filter((rule) => rule.nonResourceURLs?.length)
        .map((rule) => ({ verbs: rule.verbs, nonResourceURLs: rule.nonResourceURLs ?? [] })),
      incomplete: false,
    },
  };
}

/** Upstream leaves the kind out of these. */
function refused(field: string, message: string): Error {
  return invalid({ group: GROUP, kind: '' }, '', [{ reason: 'FieldValueInvalid', message, field }]);
}
