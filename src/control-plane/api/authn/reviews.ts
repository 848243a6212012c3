import { rfc3339, type Clock } from '../../../lib/clock.ts';
import type { TokenRequest, TokenReview } from '../../../types/kubernetes/generated/authentication-v1.ts';
import type { Pod, Secret } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import { isReason } from '../../../types/kubernetes/status.ts';
import { checkNodeTokenRequest } from '../admission/node-restriction.ts';
import type { DecodeBody } from '../authz/access-reviews.ts';
import { nodeNameOf } from '../authz/node.ts';
import type { UserInfo } from '../contract.ts';
import { badRequest, conflict, invalid, notFound } from '../errors.ts';
import type { Virtual } from '../front.ts';
import type { Lookup } from '../lookup.ts';
import type { Authenticator } from './authenticator.ts';
import type { BoundObject, ServiceAccountTokens, TokenSpec } from './service-account-tokens.ts';

const GROUP = 'authentication.k8s.io';
const SHORTEST_S = 600;
const LONGEST_S = 2 ** 32;
/** Longer lives are cut to this: a year, as upstream's default for tokens without bound. */
const CUT_S = 31_536_000;
const HOUR_S = 3600;

/** tokenreviews, selfsubjectreviews, and serviceaccounts/token. */
export function authenticationReviews(parts: {
  readonly authenticator: Authenticator;
  readonly tokens: ServiceAccountTokens;
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly decode: DecodeBody;
}): readonly Virtual[] {
  const { authenticator, decode } = parts;
  return [
    {
      group: GROUP,
      resource: 'tokenreviews',
      create: (_context, _namespace, _name, body) =>
        reviewToken(decode(GROUP, 'tokenreviews', body) as TokenReview, authenticator, parts.tokens),
    },
    {
      group: GROUP,
      resource: 'selfsubjectreviews',
      create: (context, _namespace, _name, body) =>
        ({
          ...decode(GROUP, 'selfsubjectreviews', body),
          metadata: { creationTimestamp: rfc3339(parts.clock.now()) },
          status: { userInfo: wireUser(context.user) },
        }) as KubeObject,
    },
    {
      group: '',
      resource: 'serviceaccounts',
      subresource: 'token',
      create: (context, namespace, name, body) => {
        const request = decode(GROUP, 'tokenrequests', body) as TokenRequest;
        const node = nodeNameOf(context.user);
        if (node !== undefined) {
          checkNodeTokenRequest(node, parts.lookup, {
            namespace: namespace!,
            name: name!,
            reference: request.spec.boundObjectRef,
            audiences: request.spec.audiences ?? [],
          });
        }
        return requestToken(request, namespace!, name!, parts);
      },
    },
  ];
}

/** A user as the API writes one. */
function wireUser(user: UserInfo): Record<string, unknown> {
  return {
    username: user.name,
    ...(user.uid && { uid: user.uid }),
    groups: user.groups,
    ...(user.extra && Object.keys(user.extra).length > 0 && { extra: user.extra }),
  };
}

/** Why a token is none, as far as its reviewer may know: the reviewer has the token, and is trusted with questions about it. */
function refusalOf(token: string, asked: readonly string[], tokens: ServiceAccountTokens): string {
  const own = tokens.audiencesOf(token);
  if (own === undefined || own.some((audience) => asked.includes(audience))) return 'invalid bearer token';
  const list = (values: readonly string[]): string => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
  return `[invalid bearer token, token audiences ${list(own)} is invalid for the target audiences ${list(asked)}]`;
}

function reviewToken(review: TokenReview, authenticator: Authenticator, tokens: ServiceAccountTokens): TokenReview {
  const { token = '', audiences } = review.spec;
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  try {
    const found = authenticator.byToken(token, audiences?.length ? audiences : undefined);
    return { ...review, metadata: {}, status: { authenticated: true, user: wireUser(found.user), audiences: found.audiences } };
  } catch (error) {
    if (!isReason(error, 'Unauthorized')) throw error;
    return { ...review, metadata: {}, status: { user: {}, error: refusalOf(token, audiences ?? [], tokens) } };
  }
}

function requestToken(
  request: TokenRequest,
  namespace: string,
  name: string,
  parts: { readonly tokens: ServiceAccountTokens; readonly lookup: Lookup; readonly clock: Clock },
): TokenRequest {
  const { tokens, lookup } = parts;
  const account = lookup.get('', 'serviceaccounts', namespace, name);
  if (account === undefined) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
  const seconds = request.spec.expirationSeconds ?? HOUR_S;
  if (seconds < SHORTEST_S) throw refused('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes');
  if (seconds > LONGEST_S) throw refused('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds');
  const audiences = request.spec.audiences?.length ? request.spec.audiences : tokens.audiences;
  const { bound, node } = boundTo(request, namespace, name, lookup);
  const spec: TokenSpec = {
    namespace,
    name,
    uid: account.metadata!.uid!,
    audiences,
    expirationSeconds: Math.min(seconds, CUT_S),
    ...(bound && { bound }),
    ...(node && { node }),
  };
  const { token, expires } = tokens.issue(spec);
  return {
    ...request, metadata: { name, namespace, uid: account.metadata!.uid!, creationTimestamp: rfc3339(parts.clock.now()) },
    // Written even where there is none, as the API always does.
    spec: {
      ...request.spec,
      audiences,
      expirationSeconds: seconds,
      boundObjectRef: request.spec.boundObjectRef ?? null,
    } as TokenRequest['spec'],
    status: { token, expirationTimestamp: rfc3339(expires) },
  };
}

function boundTo(request: TokenRequest, namespace: string, account: string, lookup: Lookup): { bound?: BoundObject; node?: { name: string; uid: string } } {
  const reference = request.spec.boundObjectRef;
  if (reference === undefined || reference === null) return {};
  const { kind = '', name = '', uid } = reference;
  if (kind !== 'Pod' && kind !== 'Secret' && kind !== 'Node') {
    throw badRequest(`cannot bind token to object of type ${apiVersionAsGroup(reference.apiVersion)}, Kind=${kind}`);
  }
  const resource = `${kind.toLowerCase()}s`;
  const object = lookup.get<Pod & Secret>('', resource, kind === 'Node' ? undefined : namespace, name);
  if (object === undefined) throw notFound({ group: '', resource }, name);
  const actual = object.metadata!.uid!;
  if (uid !== undefined && uid !== '' && uid !== actual) {
    throw conflict(
      { group: '', resource: kind },
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  const bound: BoundObject = { kind, name, uid: actual };
  if (kind !== 'Pod') return { bound };
  if ((object.spec?.serviceAccountName ?? '') !== account) {
    throw badRequest(`cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`);
  }
  const nodeName = object.spec?.nodeName ?? '';
  if (nodeName === '') return { bound };
  const node = lookup.get('', 'nodes', undefined, nodeName);
  return { bound, node: { name: nodeName, uid: node?.metadata?.uid ?? '' } };
}

/** `/v1`, `apps/v1`: a group and version as Go prints them. */
function apiVersionAsGroup(apiVersion = ''): string {
  return apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
}

function refused(field: string, value: number, why: string): Error {
  return invalid({ group: GROUP, kind: 'TokenRequest' }, '', [{ reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${why}` }]);
}
