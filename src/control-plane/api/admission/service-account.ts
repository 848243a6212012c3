import { nameSuffix, type Random } from '../../../lib/random.ts';
import type { Container, Pod, ServiceAccount, Volume } from '../../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import type { Lookup } from '../lookup.ts';
import { unmountable } from './mountable-secrets.ts';
import { concerns, draftPod, refuse, type DraftPod } from './plugin.ts';

const DEFAULT = 'default';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';
export const MIRROR = 'kubernetes.io/config.mirror';
/** An hour, and seven seconds by which the API server tells tokens that it asked for itself. */
const TOKEN_SECONDS = 3607;

/** Gives every pod an account, the account's pull secrets, and a token to speak to the API with. */
export class ServiceAccountAdmission implements AdmissionPlugin {
  readonly name = 'ServiceAccount';
  readonly #lookup: Lookup;
  readonly #random: Random;

  constructor(lookup: Lookup, random: Random) {
    this.#lookup = lookup;
    this.#random = random;
  }

  handles(at: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean {
    return (
      concerns(at, '', 'pods', 'CREATE') ||
      (at.resource.group === '' && at.resource.resource === 'pods' && at.subresource === 'ephemeralcontainers' && at.operation === 'UPDATE')
    );
  }

  mutate(at: AdmissionAttributes): KubeObject | undefined {
    if (at.operation !== 'CREATE') return undefined;
    const pod = draftPod(at);
    if (isMirror(pod)) return undefined;
    const { spec } = pod;
    if (!spec.serviceAccountName) spec.serviceAccountName = spec.serviceAccount || DEFAULT;
    spec.serviceAccount = spec.serviceAccountName;
    const account = this.#account(at, spec.serviceAccountName);
    if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) this.#mountToken(pod);
    if (!spec.imagePullSecrets?.length && account.imagePullSecrets?.length) {
      spec.imagePullSecrets = account.imagePullSecrets.map(({ name }) => ({ name: name ?? '' }));
    }
    return pod;
  }

  validate(at: AdmissionAttributes): void {
    const pod = at.object as Pod;
    if (!isMirror(pod)) {
      const why = unmountable(this.#account(at, pod.spec?.serviceAccountName ?? DEFAULT), pod);
      if (why !== undefined) throw refuse(at, why);
      return;
    }
    if (at.operation !== 'CREATE') return;
    if (pod.spec?.serviceAccountName) throw refuse(at, 'a mirror pod may not reference service accounts');
    if (pod.spec?.volumes?.some((volume) => volume.secret !== undefined)) throw refuse(at, 'a mirror pod may not reference secrets');
  }

  #account(at: AdmissionAttributes, name: string): ServiceAccount {
    const account = this.#lookup.get<ServiceAccount>('', 'serviceaccounts', at.namespace, name);
    if (account === undefined) {
      throw refuse(at, `error looking up service account ${at.namespace ?? ''}/${name}: serviceaccount ${JSON.stringify(name)} not found`);
    }
    return account;
  }

  #mountToken(pod: DraftPod): void {
    const { spec } = pod;
    const needs = (container: Container): boolean => !container.volumeMounts?.some((mount) => mount.mountPath === MOUNT_PATH);
    const all = [...(spec.initContainers ?? []), ...spec.containers];
    if (!all.some(needs)) return;
    const existing = spec.volumes?.find((volume) => volume.name.startsWith(VOLUME_PREFIX) && volume.projected !== undefined);
    const name = existing?.name ?? `${VOLUME_PREFIX}${nameSuffix(this.#random)}`;
    const mounted = (container: Container): Container =>
      needs(container)
        ? { ...container, volumeMounts: [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: MOUNT_PATH }] }
        : container;
    if (spec.initContainers !== undefined) spec.initContainers = spec.initContainers.map(mounted);
    spec.containers = spec.containers.map(mounted);
    if (existing === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
  }
}

function isMirror(pod: Pick<Pod, 'metadata'>): boolean {
  return pod.metadata?.annotations?.[MIRROR] !== undefined;
}

/** Token, authority and namespace, as clients in pods look for them. */
function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
      defaultMode: 0o644,
    },
  };
}
