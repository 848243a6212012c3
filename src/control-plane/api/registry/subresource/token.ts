import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { RequestContext } from '../../contract.ts';
import { notFound } from '../../errors.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Scope } from '../scope.ts';
import { Stored } from '../stored.ts';
import type { SubresourceHandler } from '../subresources.ts';
import { bodyType, decodeAs } from './body.ts';

const TOKEN_REQUEST = bodyType('authentication.k8s.io/v1', 'TokenRequest', 'io.k8s.api.authentication.v1.TokenRequest');

/** Signs a token for a service account: the TokenRequest with its status. Keys are none of the registry's business. */
export type SignToken = (context: RequestContext, serviceAccount: KubeObject, request: KubeObject) => KubeObject | Promise<KubeObject>;

export function tokenHandler(pipeline: Pipeline, sign: SignToken): SubresourceHandler {
  return {
    create: async (scope: Scope, name: string, body: unknown) => {
      const request = decodeAs(pipeline.rules, scope, TOKEN_REQUEST, body, name);
      const account = pipeline.latest(scope.kind, scope.kind.key(scope.namespace, name));
      if (account === undefined) throw notFound(scope.kind.info, name);
      pipeline.admit(scope, 'CREATE', name, request, undefined);
      const signed = await sign(scope.context, account.object, request);
      return {
        stored: Stored.of(
          {
            kind: 'TokenRequest',
            apiVersion: 'authentication.k8s.io/v1',
            ...signed,
            metadata: { name, namespace: scope.namespace, creationTimestamp: pipeline.now(), ...signed.metadata },
          },
          account.revision,
        ),
        created: true,
      };
    },
  };
}
