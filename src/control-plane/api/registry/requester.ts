import type { Scope } from './scope.ts';
import type { Draft } from './strategy.ts';

/** A certificate signing request says who made it; nobody can say it for themselves. */
export function stampRequester(scope: Scope, object: Draft): void {
  const { info } = scope.kind;
  if (info.group !== 'certificates.k8s.io' || info.resource !== 'certificatesigningrequests') return;
  const { user } = scope.context;
  const { username: _u, uid: _i, groups: _g, extra: _e, ...spec } = (object.spec ?? {}) as Record<string, unknown>;
  object.spec = {
    ...spec, username: user.name, groups: [...user.groups],
    ...(user.uid && { uid: user.uid }), ...(user.extra && Object.keys(user.extra).length > 0 && { extra: user.extra }),
  };
}
