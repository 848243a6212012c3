import type { Container, EphemeralContainer, Pod, ServiceAccount } from '../../../types/kubernetes/generated/core-v1.ts';

const ENFORCED = 'kubernetes.io/enforce-mountable-secrets';

/** As strconv.ParseBool reads it. */
const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

/**
 * For accounts that say so: a pod may use those secrets alone that its account
 * names, whether as volumes, in the environments of containers of any kind,
 * key by key or whole, or to pull images.
 * @returns the first thing that is not allowed, worded as upstream does
 */
export function unmountable(account: ServiceAccount, pod: Pod): string | undefined {
  if (!TRUE.has(account.metadata?.annotations?.[ENFORCED] ?? '')) return undefined;
  const { name } = account.metadata!;
  const secrets = new Set(account.secrets?.map((secret) => secret.name));
  const pulls = new Set(account.imagePullSecrets?.map((secret) => secret.name));
  const { spec } = pod;
  const why = `because service account ${name} does not reference that secret`;
  const named = (secret: string | undefined): string => `secret.secretName=${JSON.stringify(secret ?? '')} is not allowed ${why}`;

  for (const { secret, projected } of spec?.volumes ?? []) {
    for (const used of [secret?.secretName, ...(projected?.sources ?? []).map((source) => source.secret?.name)]) {
      if (used !== undefined && !secrets.has(used)) {
        return `volume with ${named(used)}`;
      }
    }
  }
  const containers: readonly (readonly [string, readonly (Container | EphemeralContainer)[] | undefined])[] = [
    ['init container', spec?.initContainers],
    ['container', spec?.containers],
    ['ephemeral container', spec?.ephemeralContainers],
  ];
  for (const [kind, list] of containers) {
    for (const container of list ?? []) {
      for (const { name: variable, valueFrom } of container.env ?? []) {
        const used = valueFrom?.secretKeyRef;
        if (used !== undefined && !secrets.has(used.name)) {
          return `${kind} ${container.name} with envVar ${variable} referencing ${named(used.name)}`;
        }
      }
      for (const { secretRef } of container.envFrom ?? []) {
        if (secretRef !== undefined && !secrets.has(secretRef.name)) {
          return `${kind} ${container.name} with envFrom referencing ${named(secretRef.name)}`;
        }
      }
    }
  }
  for (const [at, pull] of (spec?.imagePullSecrets ?? []).entries()) {
    if (!pulls.has(pull.name)) {
      return `imagePullSecrets[${at}].name=${JSON.stringify(pull.name ?? '')} is not allowed because service account ${name} does not reference that imagePullSecret`;
    }
  }
  return undefined;
}
