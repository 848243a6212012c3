import type { PathRequest, PathTable } from './paths.ts';

/** One thing that must be well. Returns why it is not, or undefined. */
export interface HealthCheck {
  readonly name: string;
  check(): string | undefined;
  /** Readiness alone: a server that starts or stops lives, but is not ready. */
  readonly readinessOnly?: boolean;
}

/** /healthz, /livez and /readyz: `ok`, or which check failed; `?verbose` lists all, `?exclude=` leaves one out, and /readyz/NAME is one check. */
export class Health {
  readonly #checks: HealthCheck[] = [{ name: 'ping', check: () => undefined }, { name: 'log', check: () => undefined }];

  add(check: HealthCheck): void {
    this.#checks.push(check);
  }

  /** Whether the server is ready for requests. */
  get ready(): boolean {
    return this.#checks.every((check) => check.check() === undefined);
  }

  addPaths(paths: PathTable): void {
    for (const name of ['healthz', 'livez', 'readyz']) {
      const readiness = name === 'readyz';
      paths.add(`/${name}`, (request) => this.#all(request, name, readiness));
      paths.add(`/${name}/`, (request) => this.#one(request, name, readiness));
    }
  }

  #select(readiness: boolean): readonly HealthCheck[] {
    return readiness ? this.#checks : this.#checks.filter((check) => check.readinessOnly !== true);
  }

  #all({ exchange, headers, target }: PathRequest, name: string, readiness: boolean): void {
    const excluded = new Set(target.query.all('exclude'));
    let text = '';
    let failed = false;
    for (const check of this.#select(readiness)) {
      if (excluded.delete(check.name)) text += `[+]${check.name} excluded: ok\n`;
      else if (check.check() === undefined) text += `[+]${check.name} ok\n`;
      else {
        failed = true;
        text += `[-]${check.name} failed: reason withheld\n`;
      }
    }
    if (excluded.size > 0) {
      text += `warn: some health checks cannot be excluded: no matches for ${[...excluded].map((one) => JSON.stringify(one)).join(', ')}\n`;
    }
    const out = [...headers, 'Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff'];
    if (failed) exchange.respond(500, out, `${text}${name} check failed\n`);
    else exchange.respond(200, out, target.query.has('verbose') ? `${text}${name} check passed\n` : 'ok');
  }

  #one({ exchange, headers, target }: PathRequest, name: string, readiness: boolean): void {
    const wanted = target.rawPath.slice(name.length + 2);
    const check = this.#select(readiness).find((candidate) => candidate.name === wanted);
    const out = [...headers, 'Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff'];
    if (check === undefined) exchange.respond(404, out, '404 page not found\n');
    else if (check.check() === undefined) exchange.respond(200, out, 'ok');
    else exchange.respond(500, out, 'internal server error: reason withheld\n');
  }
}
