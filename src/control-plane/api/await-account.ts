import type { Clock } from '../../lib/clock.ts';
import type { Registry, RequestContext } from './contract.ts';
import { APISERVER } from './authn/users.ts';
import type { Lookup } from './lookup.ts';
import type { ResourceTable } from './resource-table.ts';

/** As long as upstream's admission waits for the account of a new namespace. */
const PATIENCE_MS = 1000;
/** At most so many creates wait at once; others are refused at once, as after the wait. */
const MAX_WAITING = 256;
const DEFAULT = 'default';

/**
 * A pod right after its namespace: the namespace's default account is made by
 * a controller, a moment later. Instead of refusing such a pod, its create
 * waits for the account, up to a second.
 */
export class AccountWait {
  readonly #lookup: Lookup;
  readonly #registry: Registry;
  readonly #resources: ResourceTable;
  readonly #clock: Clock;
  #waiting = 0;

  constructor(parts: { readonly lookup: Lookup; readonly registry: Registry; readonly resources: ResourceTable; readonly clock: Clock }) {
    this.#lookup = parts.lookup;
    this.#registry = parts.registry;
    this.#resources = parts.resources;
    this.#clock = parts.clock;
  }

  /** undefined where there is nothing to wait for, which is nearly always. */
  before(namespace: string | undefined, body: unknown): Promise<void> | undefined {
    if (namespace === undefined || this.#waiting >= MAX_WAITING) return undefined;
    const { spec } = (body ?? {}) as { spec?: { serviceAccountName?: unknown } | null };
    const name = spec?.serviceAccountName;
    if (name !== undefined && name !== '' && name !== DEFAULT) return undefined;
    if (this.#lookup.get('', 'serviceaccounts', namespace, DEFAULT) !== undefined) return undefined;
    if (this.#lookup.get('', 'namespaces', undefined, namespace) === undefined) return undefined;
    return this.#wait(namespace);
  }

  #wait(namespace: string): Promise<void> {
    const context: RequestContext = { user: APISERVER, verb: 'watch', warnings: [] };
    const row = this.#resources.require({ group: '', version: 'v1', resource: 'serviceaccounts' });
    this.#waiting++;
    return new Promise<void>((resolve) => {
      let stop: (() => void) | undefined = undefined;
      let over = false;
      const finish = (): void => {
        if (over) return;
        over = true;
        cancel();
        stop?.();
        this.#waiting--;
        resolve();
      };
      const cancel = this.#clock.after(PATIENCE_MS, finish);
      stop = this.#registry.watch(context, row, namespace, { name: DEFAULT, fieldSelector: `metadata.name=${DEFAULT}` }, {
        event: (type) => {
          if (type === 'ADDED' || type === 'MODIFIED') finish();
        },
        ended: finish,
      });
      if (over) stop();
    });
  }
}
