import { LongshoreError } from '../../../lib/errors.ts';
import type { Image } from '../../images/images.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, Filters, JsonAnswer } from '../request.ts';
import { untilMs } from '../containers/lifecycle.ts';
import { familiar } from './names.ts';
import { descriptorOf, manifestSummary } from './platforms.ts';

const FILTERS = ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until'];

/** `GET /images/json`, newest first. */
export async function listImages(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const filters = request.filters(FILTERS);
  const images = [...(await deps.images.list())];
  const dangling = filters.boolean('dangling');
  const before = filters.has('before') ? (await deps.images.get(filters.get('before')[0]!)).createdMs : undefined;
  const since = filters.has('since') ? (await deps.images.get(filters.get('since')[0]!)).createdMs : undefined;
  const until = oldestUntil(filters, deps.clock.now());
  const patterns = filters.get('reference').map(globOf);
  const manifests = request.flag('manifests');
  const rows: unknown[] = [];
  for (const image of images.sort((a, b) => b.createdMs - a.createdMs)) {
    if (dangling !== undefined && (image.references.length === 0) !== dangling) continue;
    if (!filters.labels(image.document.config.Labels ?? {})) continue;
    if (
      (before !== undefined && image.createdMs >= before) ||
      (since !== undefined && image.createdMs <= since) ||
      (until !== undefined && image.createdMs >= until)
    ) {
      continue;
    }
    const wanted = (name: string): boolean =>
      patterns.length === 0 ||
      [name, familiar(name)].some((form) => patterns.some((matches) => matches(form) || matches(form.replace(/@.*$|:[^:/]+$/, ''))));
    const tags = image.references.filter(wanted);
    const digests = image.repoDigests.filter(wanted);
    if (patterns.length > 0 && tags.length === 0 && digests.length === 0) continue;
    rows.push({
      ...summary(image, tags.map(familiar), digests.map(familiar)),
      ...(manifests ? { Descriptor: await descriptorOf(deps, image), Manifests: [await manifestSummary(deps, image)] } : {}),
    });
  }
  return { body: rows };
}

/** Of several `until` filters, the earliest moment (ms). @throws `invalid` */
export function oldestUntil(filters: Filters, now: number): number | undefined {
  const moments = filters.get('until').map((text) => untilMs(text, now));
  return moments.length === 0 ? undefined : Math.min(...moments);
}

function summary(image: Image, tags: readonly string[], digests: readonly string[]): Record<string, unknown> {
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: tags,
    RepoDigests: digests,
    Created: Math.floor(image.createdMs / 1000),
    Size: image.sizeBytes,
    SharedSize: -1,
    Labels: image.document.config.Labels ?? {},
    Containers: -1, // counted for `docker system df` alone, as Docker does
  };
}

/** Go's path.Match, for `*`, `?` and `[…]`; `*` stops at a slash. */
function globOf(pattern: string): (name: string) => boolean {
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (c === '*') source += source.endsWith('[^/]*') ? '' : '[^/]*';
    else if (c === '?') source += '[^/]';
    else if (c === '[') {
      const end = pattern.indexOf(']', i);
      if (end < 0) throw new LongshoreError('invalid', `invalid filter 'reference=${pattern}': syntax error in pattern`);
      source += `[${pattern.slice(i + 1, end).replace(/[\\\]]/g, '\\$&')}]`;
      i = end;
    } else source += c.replace(/[.+^${}()|\\\]]/g, '\\$&');
  }
  const expression = new RegExp(`^${source}$`);
  return (name) => expression.test(name);
}
