import type { RegistryBacking } from '../images/registry-backing.ts';
import { RegistryError, sendJson } from './answers.ts';
import type { Exchange } from './answers.ts';

const MOST = 10_000;

/** GET of a repository's tags, in pages. */
export function serveTags(backing: RegistryBacking, exchange: Exchange): void {
  const tags = backing.tags(exchange.repository, exchange.host);
  if (!tags) throw new RegistryError('NAME_UNKNOWN', `repository name not known to registry: ${exchange.repository}`);
  page(exchange, tags, `/v2/${exchange.repository}/tags/list`, (tags) => ({ name: exchange.repository, tags }));
}

/** GET of all repositories, in pages. */
export function serveCatalog(backing: RegistryBacking, exchange: Exchange): void {
  page(exchange, backing.repositories(exchange.host), '/v2/_catalog', (repositories) => ({ repositories }));
}

function page({ query, response }: Exchange, all: readonly string[], path: string, body: (items: readonly string[]) => unknown): void {
  const n = query.get('n');
  if (n !== null && !/^\d{1,9}$/.test(n)) throw new RegistryError('SIZE_INVALID', 'n is not a number');
  const count = Math.min(n === null ? MOST : Number(n), MOST);
  const last = query.get('last');
  const rest = last === null ? all : all.filter((name) => name > last);
  const items = rest.slice(0, count);
  const more = items.length > 0 && items.length < rest.length;
  sendJson(response, 200, body(items), more ? { Link: `<${path}?n=${count}&last=${encodeURIComponent(items.at(-1)!)}>; rel="next"` } : {});
}
