/** Fields that differ from run to run, and say nothing about a controller. */
const DROPPED = new Set([
  'managedFields',
  'resourceVersion',
  'uid',
  'creationTimestamp',
  'lastTransitionTime',
  'lastUpdateTime',
  'lastProbeTime',
  'lastHeartbeatTime',
  'startTime',
  'startedAt',
  'finishedAt',
  'completionTime',
  'deletionTimestamp',
  'podIP',
  'podIPs',
  'clusterIP',
  'clusterIPs',
  'lastPhaseTransitionTime',
  // How many steps an object took depends on how events fell together.
  'generation', 'observedGeneration',
]);

/** What upstream notes for statistics of kube-proxy, for old kubelets, and for clients of extensions/v1beta1; we do without. */
const UNUSED_NOTES = new Set([
  'endpoints.kubernetes.io/last-change-trigger-time',
  'node.alpha.kubernetes.io/ttl',
  'deprecated.daemonset.template.generation',
  'pod-template-generation',
]);

const HASH_LABELS = ['pod-template-hash', 'controller-revision-hash', 'controller.kubernetes.io/hash'];
const SUFFIX = '[bcdfghjklmnpqrstvwxz2456789]{5}';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Makes what two control planes wrote comparable: times, addresses, uids, hashes and drawn names become the same words. */
export class Normaliser {
  readonly #hashes = new Map<string, string>();

  /** Learns the hashes that the objects bear; call before they are normalised. */
  learn(
    objects: readonly {
      readonly metadata?: {
        readonly labels?: Readonly<Record<string, string>>;
        readonly name?: string;
        readonly creationTimestamp?: string | null;
      };
    }[],
  ): void {
    for (const { metadata } of objects.toSorted((a, b) =>
      `${a.metadata?.creationTimestamp}`.localeCompare(`${b.metadata?.creationTimestamp}`),
    )) {
      for (const label of HASH_LABELS) {
        const hash = metadata?.labels?.[label]?.split('-').at(-1);
        if (hash !== undefined && !this.#hashes.has(hash)) this.#hashes.set(hash, `HASH${this.#hashes.size + 1}`);
      }
    }
  }

  text(text: string): string {
    let out = text;
    for (const [hash, name] of this.#hashes) out = out.replaceAll(hash, name);
    return out
      .replace(/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
      .replace(/10\.244\.\d+\.0\/24/g, 'RANGE')
      .replace(/10\.244\.\d+\.\d+/g, 'ADDRESS')
      .replace(new RegExp(`-${SUFFIX}(?![a-z0-9-])`, 'g'), '-DRAWN');
  }

  object(value: unknown): Json {
    if (typeof value === 'string') return this.text(value);
    if (value === null || typeof value !== 'object') return value as Json;
    if (Array.isArray(value)) return value.map((item) => this.object(item));
    const out: { [key: string]: Json } = {};
    for (const [key, item] of Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      if (DROPPED.has(key) || UNUSED_NOTES.has(key)) continue;
      const normalised = this.object(item);
      // Nothing, however it is written.
      if (normalised === null || ((Array.isArray(normalised) || key === 'annotations') && Object.keys(normalised).length === 0)) continue;
      out[this.text(key)] = normalised;
    }
    return out;
  }

  /** In an order of their own, since lists come by drawn names. */
  list(objects: readonly unknown[]): Json[] {
    return objects.map((object) => this.object(object)).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
}
