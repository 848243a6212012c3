import { suggestion } from './error.ts';
import { WordError } from './expand.ts';
import type { RunMount } from './instructions.ts';

const TYPES = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const;
const KEYS = [
  'type',
  'from',
  'source',
  'target',
  'readonly',
  'id',
  'sharing',
  'required',
  'size',
  'mode',
  'uid',
  'gid',
  'src',
  'dst',
  'destination',
  'ro',
  'rw',
  'readwrite',
  'env',
];

/** The value of one `RUN --mount=…` (Dockerfile reference, "RUN --mount"). @throws WordError */
export function parseMount(text: string): RunMount {
  const fields = new Map<string, string | undefined>();
  for (const field of splitCsv(text)) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    if (!KEYS.includes(key)) throw new WordError(`unexpected key '${key}' in '${field}'${suggestion(key, KEYS)}`);
    if (value === undefined && !['readonly', 'ro', 'rw', 'readwrite', 'required'].includes(key)) {
      throw new WordError(`invalid field '${field}' must be a key=value pair`);
    }
    fields.set({ src: 'source', dst: 'target', destination: 'target', ro: 'readonly', rw: 'readwrite' }[key] ?? key, value);
  }
  const type = (fields.get('type') ?? 'bind').toLowerCase() as RunMount['type'];
  if (!TYPES.includes(type)) throw new WordError(`unsupported mount type ${JSON.stringify(type)}${suggestion(type, TYPES)}`);
  const boolean = (key: string): boolean | undefined => {
    if (!fields.has(key)) return undefined;
    const value = fields.get(key)?.toLowerCase() ?? 'true';
    if (value !== 'true' && value !== 'false' && value !== '1' && value !== '0') throw new WordError(`invalid value for ${key}: ${value}`);
    return value === 'true' || value === '1';
  };
  const number = (key: 'mode' | 'uid' | 'gid'): number | undefined => {
    const value = fields.get(key);
    if (value === undefined) return undefined;
    if (type !== 'cache' && type !== 'secret' && type !== 'ssh') {
      throw new WordError(`${key} not allowed for ${JSON.stringify(type)} type mounts`);
    }
    const pattern = key === 'mode' ? /^[0-7]{1,5}$/ : /^\d{1,10}$/;
    if (!pattern.test(value)) throw new WordError(`invalid value ${value} for ${key}`);
    return parseInt(value, key === 'mode' ? 8 : 10);
  };
  const sharing = fields.get('sharing')?.toLowerCase();
  if (sharing !== undefined) {
    if (type !== 'cache') throw new WordError(`invalid cache sharing set for ${type} mount`);
    if (!['shared', 'private', 'locked'].includes(sharing)) {
      throw new WordError(`unsupported sharing value ${JSON.stringify(sharing)}${suggestion(sharing, ['shared', 'private', 'locked'])}`);
    }
  }
  const target = fields.get('target');
  if (target === undefined && type !== 'secret' && type !== 'ssh') {
    throw new WordError(`invalid mount: target is required for type ${type}`);
  }
  if (type === 'secret') {
    if (fields.has('from')) throw new WordError('secret mount should not have a from');
    if (target === undefined && !fields.has('source') && !fields.has('id')) {
      throw new WordError('invalid secret mount. one of source, target required');
    }
  }
  // Who may write: a cache and a tmpfs unless told otherwise, the others only when told so.
  const readOnly = boolean('readonly') ?? (boolean('readwrite') === undefined ? type !== 'cache' && type !== 'tmpfs' : !boolean('readwrite'));
  const size = fields.get('size');
  const [mode, uid, gid] = [number('mode'), number('uid'), number('gid')];
  const text2 = (key: string): Record<string, string> => (fields.get(key) === undefined ? {} : { [key]: fields.get(key)! });
  return {
    type,
    ...text2('from'),
    ...text2('source'),
    ...text2('target'),
    ...text2('id'),
    ...text2('env'),
    required: boolean('required') ?? false,
    readOnly,
    sharing: (sharing ?? 'shared') as RunMount['sharing'],
    ...(mode === undefined ? {} : { mode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(size === undefined ? {} : { sizeBytes: parseSize(size) }),
  };
}

/** Fields between commas; a field in double quotes may have commas. */
function splitCsv(text: string): string[] {
  const out: string[] = [];
  for (const [, quoted, plain] of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    out.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
  }
  return out.filter((field) => field !== '');
}

function parseSize(text: string): number {
  const match = /^(\d{1,15}(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text.trim());
  if (!match) throw new WordError(`invalid value for size: ${text}`);
  return Math.floor(Number(match[1]) * 1024 ** ' kmgt'.indexOf(match[2]!.toLowerCase() || ' '));
}
