import type { Logger } from '../../../lib/log.ts';
import type { Clock } from '../../../lib/clock.ts';
import { messageOf } from '../../../lib/errors.ts';
import { APISERVER } from '../authn/users.ts';
import type { Registry, RequestContext } from '../contract.ts';
import type { ResourceTable } from '../resource-table.ts';
import type { BindingObject, RoleObject } from './rbac-types.ts';
import type { RbacAuthorizer } from './rbac.ts';

const GROUP = 'rbac.authorization.k8s.io';
const RESOURCES = ['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings'] as const;
const RETRY_MS = 100;

/** Keeps the authorizer fed from the registry's watch, from now until the returned stop. The present state is in it on return. */
export function feedRbac(rbac: RbacAuthorizer, registry: Registry, resources: ResourceTable, clock: Clock, logger: Logger): () => void {
  const stops = RESOURCES.map((resource) => follow(resource, rbac, registry, resources, clock, logger));
  return () => {
    for (const stop of stops) stop();
  };
}

function follow(
  resource: (typeof RESOURCES)[number],
  rbac: RbacAuthorizer,
  registry: Registry,
  resources: ResourceTable,
  clock: Clock,
  logger: Logger,
): () => void {
  const context: RequestContext = { user: APISERVER, verb: 'watch', warnings: [] };
  const row = resources.require({ group: GROUP, version: 'v1', resource });
  let stopped = false;
  let stop: (() => void) | undefined;
  let cancel: (() => void) | undefined;
  const known = new Map<string, { readonly namespace: string; readonly name: string }>();
  const start = (): void => {
    if (stopped) return;
    // What vanished while no watch ran is not told by the next one: everything known is taken out, and comes back with it.
    for (const { namespace, name } of known.values()) rbac.set(resource, namespace, name, undefined);
    known.clear();
    stop = registry.watch(context, row, undefined, {}, {
      event(type, stored) {
        if (type === 'BOOKMARK') return;
        const { namespace = '', name = '' } = stored.object.metadata ?? {};
        if (type === 'DELETED') known.delete(`${namespace}/${name}`);
        else known.set(`${namespace}/${name}`, { namespace, name });
        rbac.set(resource, namespace, name, type === 'DELETED' ? undefined : (stored.object as RoleObject | BindingObject));
      },
      ended(error) {
        if (stopped) return;
        logger.warn('a watch of roles ended, starting it again', { resource, error: error === undefined ? undefined : messageOf(error) });
        cancel = clock.after(RETRY_MS, start);
      },
    });
  };
  start();
  return () => {
    stopped = true;
    cancel?.();
    stop?.();
  };
}
