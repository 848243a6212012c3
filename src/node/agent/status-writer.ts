import { pods } from '../../client/resources.ts';
import type { Transport } from '../../client/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import { isCode, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Pod, PodStatus } from '../../types/kubernetes/generated/core-v1.ts';

const RETRY_MS = [100, 400, 1000, 3000, 10_000];

interface Entry { wanted: PodStatus; pod: Pod; sent: string | undefined; running: Promise<void> | undefined }

/** Writes pods' statuses through the API: the newest one of each pod, one write at a time, nothing when nothing changed. */
export class StatusWriter {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();

  constructor(transport: Transport, clock: Clock, logger: Logger) {
    this.#transport = transport;
    this.#clock = clock;
    this.#log = logger;
  }

  /** The newest status that was set; what the API may not have yet. */
  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.wanted;
  }

  /** Resolves when this status, or a newer one, is written (or the pod is gone). */
  set(pod: Pod, status: PodStatus): Promise<void> {
    // Steps that were under way when the agent stopped may still come by.
    if (this.#stop.signal.aborted) return Promise.resolve();
    const uid = pod.metadata?.uid ?? '';
    let entry = this.#entries.get(uid);
    if (!entry) this.#entries.set(uid, (entry = { wanted: status, pod, sent: undefined, running: undefined }));
    entry.wanted = status;
    entry.pod = pod;
    entry.running ??= this.#write(uid, entry).finally(() => (entry.running = undefined));
    return entry.running;
  }

  /** Gives up what is not written yet, now and later: the agent stops. Those who wait for a write wait no longer. */
  close(): void {
    this.#stop.abort();
    this.#entries.clear();
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  async #write(uid: string, entry: Entry): Promise<void> {
    for (let failures = 0; this.#entries.get(uid) === entry;) {
      const { pod, wanted } = entry;
      const text = JSON.stringify(wanted);
      if (text === entry.sent) return;
      const { name = '', namespace } = pod.metadata ?? {};
      try {
        // The uid guards against a younger pod of the same name; conditions of others are kept by their key.
        await this.#transport.patch(pods, namespace, name, 'strategic', { metadata: { uid }, status: patchOf(pod, wanted) }, { subresource: 'status' });
        entry.sent = text;
        failures = 0;
      } catch (error) {
        if (isCode(error, 'not-found') || isCode(error, 'conflict')) {
          this.#log.debug('the pod is gone, its status is not written', { pod: `${namespace}/${name}` });
          return;
        }
        if (this.#stop.signal.aborted) return;
        this.#log.warn("could not write a pod's status, trying again", { pod: `${namespace}/${name}`, error: messageOf(error) });
        const waitMs = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]!;
        // Cut short by the end, which the loop sees.
        await this.#clock.sleep(waitMs, this.#stop.signal).catch(() => undefined);
      }
    }
  }
}

/** Fields that are absent now and may have been there before are taken away by null. */
function patchOf(pod: Pod, status: PodStatus): Record<string, unknown> {
  const patch: Record<string, unknown> = { ...status };
  for (const field of ['reason', 'message', 'podIP', 'podIPs', 'nominatedNodeName'] as const) {
    if (status[field] === undefined && pod.status?.[field] !== undefined) patch[field] = null;
  }
  const oldIp = pod.status?.podIP;
  // podIPs is a map by ip to a strategic patch: an old address would stay beside the new one.
  if (status.podIP !== undefined && oldIp !== undefined && oldIp !== status.podIP) {
    patch.podIPs = [{ $patch: 'replace' }, ...(status.podIPs ?? [])];
  }
  return patch;
}
