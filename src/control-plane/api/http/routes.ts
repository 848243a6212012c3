import type { ResourceTable } from '../resource-table.ts';
import type { ResourceRoute } from './route.ts';
import type { Target } from './target.ts';

/** So many, of at most so many characters, are kept. */
const KEPT = 512;
const LONGEST = 256;

interface Known {
  readonly target: Target;
  readonly route: ResourceRoute;
}

/** Request targets that were read before, with what they name: clients send the same ones again and again. */
export class Routes {
  readonly #resources: ResourceTable;
  readonly #known = new Map<string, Known>();
  #generation = -1;

  constructor(resources: ResourceTable) {
    this.#resources = resources;
  }

  find(target: string): Known | undefined {
    if (this.#generation !== this.#resources.generation) {
      this.#known.clear();
      this.#generation = this.#resources.generation;
    }
    return this.#known.get(target);
  }

  keep(text: string, target: Target, route: ResourceRoute): void {
    if (text.length > LONGEST || route.resource === undefined) return;
    if (this.#known.size >= KEPT) this.#known.clear();
    this.#known.set(text, { target, route });
  }
}
