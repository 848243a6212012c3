import type { Namespace } from '../../../../types/kubernetes/generated/core-v1.ts';
import { checked, each } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { dnsLabel, labelKey } from './formats.ts';
import { rulesOf } from './kind.ts';
import { namedBy } from './metadata.ts';

const FINALIZERS = new Path('spec').child('finalizers');
const STANDARD = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);

function validateFinalizer(name: string, errors: Errors, path: Path): void {
  checked(name, labelKey, errors, path);
  if (!name.includes('/') && !STANDARD.has(name)) {
    errors.invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified');
  }
}

export const NAMESPACE = rulesOf<Namespace>({
  name: namedBy(dnsLabel),
  create: (namespace, errors) => {
    for (const name of each(namespace.spec?.finalizers)) validateFinalizer(name, errors, FINALIZERS);
  },
  subresources: {
    status: (namespace, _old, errors) => {
      const phase = namespace.status?.phase ?? '';
      const deleting = namespace.metadata?.deletionTimestamp !== undefined;
      if (!deleting && phase !== 'Active') {
        errors.invalid(new Path('status').child('Phase'), phase, "may only be 'Active' if `deletionTimestamp` is empty");
      }
      if (deleting && phase !== 'Terminating') {
        errors.invalid(new Path('status').child('Phase'), phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
      }
    },
    finalize: (namespace, _old, errors) => each(namespace.spec?.finalizers).forEach((name, n) => validateFinalizer(name, errors, FINALIZERS.index(n))),
  },
});
