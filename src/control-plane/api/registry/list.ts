import type { StatusCause } from '../../../types/kubernetes/status.ts';
import { isCode } from '../../../lib/errors.ts';
import type { ListPage, ListParameters } from '../contract.ts';
import { badRequest, invalid } from '../errors.ts';
import { decodeContinue, encodeContinue } from './continue-token.ts';
import { expired } from './errors.ts';
import type { Feed } from './feed.ts';
import type { Kind } from './kinds.ts';
import { parseRevision } from './revision.ts';
import { select, type Selection } from './selection.ts';
import type { SortedView } from './sorted-list.ts';
import type { Stored } from './stored.ts';

const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions' };

const TOKEN_EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, ' +
  'or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - ' +
  'objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';
const CANNOT_RESTART =
  'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.';

/** What a list asks for, after all checks of its options. */
interface Plan {
  readonly selection: Selection;
  readonly limit: number;
  readonly start: string;
  /** undefined: the newest state. */
  readonly exactly: number | undefined;
  readonly notOlderThan: number | undefined;
  readonly continuing: boolean;
}

/**
 * Lists objects, from memory. A page that `limit` cut carries a token; the
 * following pages show the state of the first.
 * @throws StatusError 400, 410, 422, 504
 */
export function list(feed: Feed, kind: Kind, namespace: string | undefined, options: ListParameters): ListPage | Promise<ListPage> {
  const plan = check(kind, namespace, options);
  const wait = feed.notOlderThan(plan.notOlderThan ?? 0);
  return wait === undefined ? page(feed, kind, plan) : wait.then(() => page(feed, kind, plan));
}

function check(kind: Kind, namespace: string | undefined, options: ListParameters): Plan {
  const causes: StatusCause[] = [];
  const { resourceVersionMatch: match, resourceVersion } = options;
  if (match !== undefined && match !== '') {
    const forbid = (message: string): void =>
      void causes.push({ reason: 'FieldValueForbidden', message: `Forbidden: ${message}`, field: 'resourceVersionMatch' });
    if (resourceVersion === undefined || resourceVersion === '') {
      forbid('resourceVersionMatch is forbidden unless resourceVersion is provided');
    }
    if (options.continue !== undefined && options.continue !== '') forbid('resourceVersionMatch is forbidden when continue is provided');
    if (match !== 'Exact' && match !== 'NotOlderThan') {
      causes.push({
        reason: 'FieldValueNotSupported',
        message: `Unsupported value: "${match}": supported values: "Exact", "NotOlderThan", ""`,
        field: 'resourceVersionMatch',
      });
    }
    if (match === 'Exact' && resourceVersion === '0') forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  if (causes.length > 0) throw invalid(LIST_OPTIONS, '', causes);
  const revision = parseRevision(resourceVersion, 'invalid resource version: ');
  const selection = select(kind, namespace, options);
  const limit = Math.max(0, options.limit ?? 0);
  if (options.continue !== undefined && options.continue !== '') {
    if (revision !== undefined && revision !== 0) throw badRequest('specifying resource version is not allowed when using continue');
    const token = decodeContinue(options.continue);
    return {
      selection,
      limit,
      start: selection.prefix + token.start,
      exactly: token.revision < 0 ? undefined : token.revision,
      notOlderThan: undefined,
      continuing: true,
    };
  }
  // A limit with a version and no match means that very version, for the sake of old clients; version 0 means anything, and is not cut.
  const exact = revision !== undefined && revision > 0 && (match === 'Exact' || (!match && limit > 0));
  return { selection, limit: revision === 0 ? 0 : limit, start: '', exactly: exact ? revision : undefined, notOlderThan: revision, continuing: false };
}

function page(feed: Feed, kind: Kind, plan: Plan): ListPage {
  const { cache } = kind;
  const { selection, limit } = plan;
  const newest = Math.max(feed.revision, cache.changes.last);
  const revision = plan.exactly ?? newest;
  // A token that nobody can have got here: made up, or from before a backup was restored. The client lists anew.
  if (plan.continuing && revision > newest) throw expired(CANNOT_RESTART);
  if (plan.exactly === undefined && plan.start === '') {
    if (selection.key !== undefined) {
      const only = cache.get(selection.key);
      return { revision, items: only !== undefined && selection.includes(selection.key, only) ? [kind.view(only)] : [] };
    }
    const indexed = limit === 0 ? cache.byIndex(selection) : undefined;
    if (indexed !== undefined) return { revision, items: viewed(kind, indexed) };
  }
  const view = at(kind, plan);
  if (selection.whole && limit === 0 && plan.start === '') return { revision, items: viewed(kind, view.values(selection.prefix)) };
  const items: Stored[] = [];
  let next: string | undefined;
  view.scan(selection.prefix, plan.start, (stored, key) => {
    if (!selection.includes(key, stored)) return true;
    if (limit > 0 && items.length === limit) {
      next = key;
      return false;
    }
    items.push(stored);
    return true;
  });
  if (next === undefined) return { revision, items: viewed(kind, items) };
  if (plan.exactly === undefined) cache.remember(revision);
  const token = encodeContinue({ revision, start: next.slice(selection.prefix.length) });
  return { revision, items: viewed(kind, items), continue: token, ...(selection.whole && { remainingItemCount: remaining(view, selection.prefix, next) }) };
}

/** Most kinds have one version, and need no look at each object. */
function viewed(kind: Kind, items: Stored[]): Stored[] {
  return kind.mixed ? items.map(kind.view) : items;
}

function remaining(view: SortedView<Stored>, prefix: string, from: string): number {
  let count = 0;
  view.scan(prefix, from, () => {
    count++;
    return true;
  });
  return count;
}

function at(kind: Kind, plan: Plan): SortedView<Stored> {
  if (plan.exactly === undefined) return kind.cache.view();
  try {
    return kind.cache.viewAt(plan.exactly);
  } catch (error) {
    if (!isCode(error, 'gone')) throw error;
    if (!plan.continuing) throw expired('The resourceVersion for the provided list is too old.');
    if (plan.start === '') throw expired(CANNOT_RESTART);
    throw expired(TOKEN_EXPIRED, encodeContinue({ revision: -1, start: plan.start.slice(plan.selection.prefix.length) }));
  }
}
