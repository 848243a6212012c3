import type { EventRecorder } from '../../client/events.ts';
import { secrets } from '../../client/resources.ts';
import type { Transport } from '../../client/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import { isCode, LongshoreError, messageOf } from '../../lib/errors.ts';
import type { Container, Pod, Secret } from '../../types/kubernetes/generated/core-v1.ts';
import type { AuthConfig, Cri } from '../cri/cri.ts';
import { Backoff } from './backoff.ts';

/** A container can't start for its image: `reason` goes into its waiting state. */
export class ImageError extends LongshoreError {
  readonly reason: 'ErrImagePull' | 'ImagePullBackOff' | 'ErrImageNeverPull' | 'InvalidImageName';
  /** When it may be tried again, in milliseconds since the epoch. */
  readonly retryAtMs: number;

  constructor(reason: ImageError['reason'], message: string, retryAtMs: number) {
    super('unavailable', message);
    this.reason = reason;
    this.retryAtMs = retryAtMs;
  }
}

const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 300_000;
/** A fresh failure is shown so long, before the state tells of the back-off. */
const SHOW_FAILURE_MS = 1000;

export interface ImagePullerOptions {
  readonly cri: Cri;
  readonly transport: Pick<Transport, 'get'>;
  readonly events: EventRecorder;
  readonly clock: Clock;
}

/**
 * Sees to a container's image by its pull policy. An image that was built on
 * this machine, and so has no registry that it came from, is used as it is
 * even where the policy says Always: what `docker build` made, a pod can run.
 */
export class ImagePuller {
  readonly #options: ImagePullerOptions;
  /** Of each pod's images: when they may be pulled again, and why they could not be. */
  readonly #backoff = new Backoff<string>(FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS);
  /** One pull of an image at a time; others wait for it. */
  readonly #pulls = new Map<string, Promise<string>>();

  constructor(options: ImagePullerOptions) {
    this.#options = options;
  }

  /** @returns the image's id. @throws ImageError */
  async ensure(pod: Pod, container: Container, signal: AbortSignal): Promise<string> {
    const { cri, events, clock } = this.#options;
    const image = container.image ?? '';
    const target = { apiVersion: 'v1', kind: 'Pod', ...(pod.metadata && { metadata: pod.metadata }), fieldPath: `spec.containers{${container.name}}` };
    const policy = container.imagePullPolicy ?? 'IfNotPresent';
    let present;
    try {
      present = await cri.imageStatus(image);
    } catch (error) {
      if (!isCode(error, 'invalid')) throw error;
      events.event(target, 'Warning', 'InspectFailed', `Failed to apply default image tag "${image}": couldn't parse image name: ${messageOf(error)}`);
      throw new ImageError('InvalidImageName', `Failed to apply default image tag "${image}": ${messageOf(error)}`, Infinity);
    }
    if (present && (policy !== 'Always' || present.repoDigests.length === 0)) {
      events.event(target, 'Normal', 'Pulled', `Container image "${image}" already present on machine`);
      return present.id;
    }
    if (policy === 'Never') {
      events.event(target, 'Warning', 'ErrImageNeverPull', `Container image "${image}" is not present with pull policy of Never`);
      throw new ImageError('ErrImageNeverPull', `Container image "${image}" is not present with pull policy of Never`, clock.now() + FIRST_BACKOFF_MS);
    }
    const key = `${pod.metadata?.uid} ${image}`;
    const readyAt = this.#backoff.readyAt(key) ?? 0;
    if (readyAt > clock.now()) {
      events.event(target, 'Normal', 'BackOff', `Back-off pulling image "${image}"`);
      events.event(target, 'Warning', 'Failed', 'Error: ImagePullBackOff');
      throw new ImageError('ImagePullBackOff', `Back-off pulling image "${image}": ErrImagePull: ${this.#backoff.why(key)}`, readyAt);
    }
    events.event(target, 'Normal', 'Pulling', `Pulling image "${image}"`);
    const start = clock.monotonic();
    try {
      const id = await this.#pull(pod, image, signal);
      this.#backoff.clear(key);
      const seconds = ((clock.monotonic() - start) / 1000).toFixed(3);
      events.event(target, 'Normal', 'Pulled', `Successfully pulled image "${image}" in ${seconds}s (${seconds}s including waiting).`);
      return id;
    } catch (error) {
      if (signal.aborted) throw error;
      const message = `Failed to pull image "${image}": ${messageOf(error)}`;
      events.event(target, 'Warning', 'Failed', message);
      events.event(target, 'Warning', 'Failed', 'Error: ErrImagePull');
      throw new ImageError('ErrImagePull', message, Math.min(this.#backoff.fail(key, clock.now(), message), clock.now() + SHOW_FAILURE_MS));
    }
  }

  async #pull(pod: Pod, image: string, signal: AbortSignal): Promise<string> {
    const credentials = await this.#credentials(pod, image);
    const id = `${image} ${credentials ? `${credentials.username}:${credentials.password}:${credentials.auth}` : ''}`;
    let pull = this.#pulls.get(id);
    if (!pull) {
      pull = this.#options.cri.pullImage(image, credentials, signal).finally(() => this.#pulls.delete(id));
      this.#pulls.set(id, pull);
    }
    return pull;
  }

  /** The entry for the image's registry in the pod's pull secrets; the first one counts. */
  async #credentials(pod: Pod, image: string): Promise<AuthConfig | undefined> {
    const first = image.split('/', 1)[0]!;
    const registry = image.includes('/') && /[.:]|^localhost$/.test(first) ? first : 'docker.io';
    for (const { name = '' } of pod.spec?.imagePullSecrets ?? []) {
      let secret: Secret;
      try {
        secret = await this.#options.transport.get<Secret>(secrets, pod.metadata?.namespace, name);
      } catch (error) {
        if (isCode(error, 'not-found')) continue; // as the kubelet: the pull is tried without it
        throw error;
      }
      const text = Buffer.from(secret.data?.['.dockerconfigjson'] ?? '', 'base64').toString();
      if (text === '') continue;
      const auths = (JSON.parse(text) as { auths?: Record<string, Partial<AuthConfig>> }).auths ?? {};
      for (const [host, entry] of Object.entries(auths)) {
        const bare = host
          .replace(/^https?:\/\//, '')
          .replace(/\/.*$/, '')
          .replace(/^index\.docker\.io$|^registry-1\.docker\.io$/, 'docker.io');
        if (bare === registry) {
          return { username: '', password: '', auth: '', serverAddress: host, identityToken: '', registryToken: '', ...entry };
        }
      }
    }
    return undefined;
  }
}
