import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { RegistryPeek } from '../contract.ts';
import type { Kind } from './kinds.ts';
import type { SortedView } from './sorted-list.ts';
import type { Stored } from './stored.ts';

/** Lists of so many namespaces are kept for a kind. */
const KEPT = 256;

/** Reads of one kind at once, for what is looked up with every request: a list is made anew only after the kind has changed. */
export class Peek implements RegistryPeek {
  readonly #kind: Kind;
  readonly #lists = new Map<string, readonly KubeObject[]>();
  #view: SortedView<Stored> | undefined;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  get(namespace: string | undefined, name: string): KubeObject | undefined {
    const stored = this.#kind.cache.get(this.#kind.key(namespace, name));
    return stored === undefined ? undefined : this.#object(stored);
  }

  list(namespace: string | undefined): readonly KubeObject[] {
    const view = this.#kind.cache.view();
    if (view !== this.#view) {
      this.#lists.clear();
      this.#view = view;
    }
    if (view.size === 0) return NONE;
    const of = this.#kind.namespaced ? namespace ?? '' : '';
    let found = this.#lists.get(of);
    if (found === undefined) {
      found = view.values(of === '' ? '' : `${of}/`).map((stored) => this.#object(stored));
      if (this.#lists.size >= KEPT) this.#lists.clear();
      this.#lists.set(of, found);
    }
    return found;
  }

  #object(stored: Stored): KubeObject {
    return this.#kind.mixed ? this.#kind.view(stored).object : stored.object;
  }
}

const NONE: readonly KubeObject[] = [];
