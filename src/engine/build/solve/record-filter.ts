import { LongshoreError } from '../../../lib/errors.ts';
import type { BuildCacheRecord } from '../builder.ts';

type Value = (record: BuildCacheRecord) => string;
const FIELDS: Readonly<Record<string, Value>> = {
  id: (record) => record.id,
  parents: (record) => record.parents.join(','),
  parent: (record) => record.parents.join(','),
  type: (record) => record.type,
  description: (record) => record.description,
  inuse: (record) => String(record.inUse),
  shared: (record) => String(record.shared),
  private: (record) => String(!record.shared),
  immutable: () => 'true',
  mutable: () => 'false',
};

/**
 * Filters of the build cache, as containerd writes them: `type==regular`, `id~=^ab`, `description!=x`, `shared`; several in one text, between
 * commas, add up, several texts are alternatives. None: everything.
 * @throws `invalid` for what is no field: it would otherwise be taken for everything
 */
export function recordFilter(filters: readonly string[]): (record: BuildCacheRecord) => boolean {
  const alternatives = filters.filter((text) => text !== '').map((text) => text.split(',').map(condition));
  return (record) => alternatives.length === 0 || alternatives.some((all) => all.every((holds) => holds(record)));
}

function condition(text: string): (record: BuildCacheRecord) => boolean {
  const [, name = '', operator, raw = ''] = /^\s*([\w.]+)\s*(?:(==|!=|~=)\s*(.*?))?\s*$/s.exec(text) ?? [];
  const field = FIELDS[name.toLowerCase()];
  if (field === undefined) {
    throw new LongshoreError('invalid', `invalid filter '${text}'`, {
      object: text,
      remedy: `Filter by ${Object.keys(FIELDS).join(', ')}, until or unused-for.`,
    });
  }
  const wanted = /^"(.*)"$/s.exec(raw)?.[1] ?? raw;
  if (operator === undefined) return (record) => !['', 'false'].includes(field(record));
  if (operator === '~=') {
    const pattern = patternOf(wanted, text);
    return (record) => pattern.test(field(record));
  }
  return (record) => (field(record) === wanted) === (operator === '==');
}

function patternOf(source: string, text: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new LongshoreError('invalid', `invalid filter '${text}': not a pattern`, { object: text, cause: error });
  }
}
