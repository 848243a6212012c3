import type { Handler, UpgradeHandler } from './request.ts';

export interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly handler: Handler | undefined;
  readonly upgrade: UpgradeHandler | undefined;
}

/** A table of routes. `{name}` is one segment of a path, `{name...}` may hold slashes, as image names do. */
export class Router {
  readonly #routes: Route[] = [];

  on(method: string, path: string, handler: Handler): this {
    return this.#add(method, path, handler, undefined);
  }

  /** A route that takes the connection over, for clients that ask to upgrade it. `handler`: for those that don't. */
  hijack(method: string, path: string, upgrade: UpgradeHandler, handler?: Handler): this {
    return this.#add(method, path, handler, upgrade);
  }

  /** @returns the route, and its parameters decoded; `method-not-allowed` when the path is known with other methods */
  match(method: string, path: string): { readonly route: Route; readonly params: Record<string, string> } | 'method-not-allowed' | undefined {
    let other = false;
    for (const route of this.#routes) {
      const found = route.pattern.exec(path);
      if (found === null) continue;
      if (route.method !== method) {
        other = true;
        continue;
      }
      const params: Record<string, string> = {};
      for (const [index, name] of route.names.entries()) params[name] = decode(found[index + 1]!);
      return { route, params };
    }
    return other ? 'method-not-allowed' : undefined;
  }

  #add(method: string, path: string, handler: Handler | undefined, upgrade: UpgradeHandler | undefined): this {
    const names: string[] = [];
    const source = path.replace(/\{(\w+)(\.\.\.)?\}/g, (_whole, name: string, rest: string | undefined) => {
      names.push(name);
      return rest === undefined ? '([^/]+)' : '(.+)';
    });
    this.#routes.push({ method, pattern: new RegExp(`^${source}$`), names, handler, upgrade });
    return this;
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray %: looked up as it is, and not found
  }
}
