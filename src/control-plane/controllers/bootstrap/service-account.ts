import { serviceAccounts } from '../../../client/resources.ts';
import type { ServiceAccount } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { PerNamespaceController } from './per-namespace.ts';

/** Gives every namespace the service account `default`, which pods run as when they name no other. */
export function createServiceAccountController(context: ControllerContext): RunningController {
  return new PerNamespaceController<ServiceAccount>(context, {
    name: 'service-account-controller',
    resource: serviceAccounts,
    object: { metadata: { name: 'default' } },
  });
}
