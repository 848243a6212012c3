import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';

/** How long a body is kept: long enough for a crowd that lists at once (a start, a reconnect), too short to weigh on an idle server. */
const KEPT_MS = 1000;
/** Smaller bodies are joined anew faster than looked up usefully; larger ones would weigh too much. */
const SMALLEST = 64 * 1024;
const LARGEST = 32 * 1024 * 1024;
const MAX_BYTES = 64 * 1024 * 1024;

interface Kept {
  readonly revision: number;
  readonly body: Buffer;
}

/** Calls `fn` after `ms`; returns what cancels it. */
type After = (ms: number, fn: () => void) => () => void;

/** The bodies of whole lists, for as long as nothing has changed and others may ask for the same. */
export class ListCache {
  readonly #after: After;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(after: After) {
    this.#after = after;
  }

  /** The list of a whole namespace, or of all, at a revision; made by `make` where it is not kept. */
  body(resource: ResourceInfo, namespace: string | undefined, revision: number, make: () => Buffer): Buffer {
    const key = `${resource.group}/${resource.version}/${resource.resource}/${namespace ?? ''}`;
    const found = this.#kept.get(key);
    if (found?.revision === revision) return found.body;
    const body = make();
    if (found !== undefined) this.#drop(key, found);
    if (body.length >= SMALLEST && body.length <= LARGEST && this.#bytes + body.length <= MAX_BYTES) {
      const kept: Kept = { revision, body };
      this.#kept.set(key, kept);
      this.#bytes += body.length;
      this.#after(KEPT_MS, () => this.#drop(key, kept));
    }
    return body;
  }

  #drop(key: string, kept: Kept): void {
    if (this.#kept.get(key) !== kept) return;
    this.#kept.delete(key);
    this.#bytes -= kept.body.length;
  }
}
