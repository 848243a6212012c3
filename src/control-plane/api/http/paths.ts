import type { UserInfo } from '../contract.ts';
import type { Exchange } from './exchange.ts';
import type { Target } from './target.ts';

/** A request for a path that is no resource, once it is authorised. */
export interface PathRequest {
  readonly exchange: Exchange;
  readonly target: Target;
  readonly user: UserInfo;
  readonly headers: readonly string[];
}

export type PathHandler = (request: PathRequest) => void | Promise<void>;

/** The paths beside the resources: exact ones, and prefixes that end in a slash. */
export class PathTable {
  readonly #exact = new Map<string, PathHandler>();
  readonly #prefixes: { readonly prefix: string; readonly handler: PathHandler }[] = [];

  add(path: string, handler: PathHandler): void {
    if (path.endsWith('/') && path !== '/') this.#prefixes.push({ prefix: path, handler });
    else this.#exact.set(path, handler);
  }

  find(path: string): PathHandler | undefined {
    return this.#exact.get(path) ?? this.#prefixes.find(({ prefix }) => path.startsWith(prefix))?.handler;
  }

  /** Every path, sorted: what GET / shows, and what tests walk. */
  list(): readonly string[] {
    return [...this.#exact.keys(), ...this.#prefixes.map(({ prefix }) => prefix)].sort();
  }
}
