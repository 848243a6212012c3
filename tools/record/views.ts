/**
 * Reductions of answers too large to be read: what a golden file keeps of
 * them, by the name that follows `@view`.
 */
const VIEWS: Readonly<Record<string, (value: unknown, args: readonly string[]) => unknown>> = {
  /** Lists whose order is by chance, at paths of keys, in order; a message that repeats it ends before it. */
  sort: (value, args) => args.reduce((sofar, path) => sorted(sofar, path.split('.')), value),
  /** Keys of so many levels, without what they hold. */
  keys: (value, args) => keysOf(value, Number(args[0] ?? 1)),
  /** Members of the top level, by name. */
  pick: (value, args) => Object.fromEntries(args.map((key) => [key, (value as Json)[key]])),
  /** A list, by one member of its elements. */
  'sort-by': (value, [key = '']) => (value as readonly Json[]).toSorted((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1)),
  /** Named schemas of an OpenAPI document, without prose. */
  schemas: (value, args) => schemas(value as OpenApi, args),
  /** Paths of an OpenAPI document that hold a text: operations with their ids, parameters' names and responses' types. */
  paths: (value, args) => paths(value as OpenApi, args[0] ?? ''),
};

type Json = Readonly<Record<string, unknown>>;

interface OpenApi {
  readonly components?: { readonly schemas?: Json };
  readonly definitions?: Json;
  readonly paths?: Readonly<Record<string, Json>>;
}

/**
 * Applies the view that a step names.
 * @throws Error for a name that is not in the table
 */
export function view(directive: string | undefined, value: unknown): unknown {
  if (directive === undefined) return value;
  const [name, ...args] = directive.split(' ');
  const reduce = VIEWS[name!];
  if (reduce === undefined) throw new Error(`there is no view called ${JSON.stringify(name)}; there are ${Object.keys(VIEWS).join(', ')}`);
  return isStatus(value) && name !== 'sort' ? value : reduce(value, args);
}

const isStatus = (value: unknown): boolean => typeof value === 'object' && value !== null && (value as Json)['kind'] === 'Status';

function sorted(value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) {
    return path.length === 0 ? (value.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) as unknown) : value;
  }
  if (typeof value !== 'object' || value === null || path.length === 0) return value;
  const out: Record<string, unknown> = { ...value, [path[0]!]: sorted((value as Json)[path[0]!], path.slice(1)) };
  if (typeof out['message'] === 'string' && out['kind'] === 'Status') out['message'] = out['message'].replace(/: \[.*$/s, ': […]');
  return out;
}

function keysOf(value: unknown, depth: number): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [keysOf(value[0], depth)];
  if (typeof value !== 'object' || value === null) return `<${value === null ? 'null' : typeof value}>`;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, depth <= 1 ? '<here>' : keysOf((value as Json)[key], depth - 1)]));
}

function schemas(document: OpenApi, names: readonly string[]): unknown {
  const all = document.components?.schemas ?? document.definitions ?? {};
  return Object.fromEntries(names.map((name) => [name, withoutProse(all[name] ?? '<missing>')]));
}

/** Without descriptions (those that are prose: a property may be called `description`), keys in order. */
function withoutProse(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutProse);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key, inner]) => !isProse(key, inner)).sort(([a], [b]) => (a < b ? -1 : 1));
  const [first, ...others] = entries;
  // A reference with words beside it is wrapped; without them it is bare.
  if (first?.[0] === 'allOf' && others.length === 0 && Array.isArray(first[1]) && first[1].length === 1) return withoutProse(first[1][0]);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutProse(inner)]));
}

/** A description, or a default that is the nothing of its type (a property may have either name: it holds a map). */
function isProse(key: string, value: unknown): boolean {
  return (key === 'description' && typeof value === 'string') || (key === 'default' && ['""', '0', 'false', '{}'].includes(JSON.stringify(value)));
}

interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly { readonly name?: string; readonly in?: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly content?: Json };
  readonly responses?: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: unknown }>> }>>;
}

function paths(document: OpenApi, text: string): unknown {
  const found = Object.entries(document.paths ?? {})
    .filter(([path]) => path.endsWith(text))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    found.map(([path, item]) => [
      path,
      Object.fromEntries(
        Object.entries(item)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([verb, operation]) => [verb, operationOf(verb, operation)]),
      ),
    ]),
  );
}

function operationOf(verb: string, value: unknown): unknown {
  if (verb === 'parameters') return (value as Operation['parameters'])?.map((parameter) => parameter.name);
  const { parameters, requestBody, responses, ...rest } = value as Operation & Json;
  return {
    ...(withoutProse(rest) as Json),
    ...(parameters === undefined
      ? {}
      : {
          parameters: Object.fromEntries(
            parameters
              .filter(({ name }) => name !== undefined)
              .map(({ name, in: place, required }) => [name, `${place}${required === true ? ', required' : ''}`])
              .sort(([a], [b]) => (a! < b! ? -1 : 1)),
          ),
        }),
    ...(requestBody === undefined ? {} : { requestBody: Object.keys(requestBody.content ?? {}).sort() }),
    responses: Object.fromEntries(Object.entries(responses ?? {}).map(([status, response]) => [status, Object.keys(response.content ?? {}).sort()])),
  };
}
