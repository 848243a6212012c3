/**
 * The table of rooms, and the check that every import keeps to it. The check
 * reads import statements; a room is the longest folder of the table that
 * holds the file.
 */
export const ROOMS: Readonly<Record<string, readonly string[] | 'all'>> = {
  app: 'all',
  cli: ['app', 'client', 'types', 'lib'],
  'control-plane/store': ['types', 'lib'],
  'control-plane/api': ['control-plane/store', 'types', 'lib'],
  'control-plane/controllers': ['client', 'types', 'lib'],
  'control-plane/scheduler': ['client', 'types', 'lib'],
  'node/agent': ['client', 'node/cri', 'node/volumes', 'types', 'lib'],
  'node/volumes': ['client', 'host', 'types', 'lib'],
  'node/cri': ['engine/containers', 'engine/images', 'engine/network', 'types', 'lib'],
  'node/proxy': ['client', 'host', 'types', 'lib'],
  'node/dns': ['client', 'types', 'lib'],
  'engine/docker-api': [
    'engine/containers',
    'engine/images',
    'engine/network',
    'engine/volumes',
    'engine/build',
    'engine/registry',
    'engine/runtime',
    'types',
    'lib',
  ],
  'engine/containers': ['engine/images', 'engine/runtime', 'engine/network', 'engine/volumes', 'host', 'types', 'lib'],
  'engine/images': ['host', 'types', 'lib'],
  'engine/registry': ['engine/images', 'types', 'lib'],
  'engine/build': ['engine/containers', 'engine/images', 'types', 'lib'],
  'engine/runtime': ['host', 'types', 'lib'],
  'engine/network': ['host', 'types', 'lib'],
  'engine/volumes': ['host', 'types', 'lib'],
  client: ['types', 'lib'],
  host: ['lib'],
  types: ['lib'],
  lib: [],
};

/** The room that a path below src/ lies in, as in `engine/images`; undefined outside of all rooms. */
export function roomOf(path: string): string | undefined {
  const parts = path.split('/');
  for (let n = Math.min(2, parts.length - 1); n > 0; n--) {
    const room = parts.slice(0, n).join('/');
    if (room in ROOMS) return room;
  }
  return undefined;
}

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)['"](\.[^'"]+)['"]/g;

/**
 * The violations in one source file, one sentence each.
 * @param path relative to src/, with forward slashes
 */
export function violations(path: string, source: string): string[] {
  const room = roomOf(path);
  if (room === undefined) return [`src/${path} lies in no room of the table`];
  const may = ROOMS[room]!;
  const found: string[] = [];
  for (const [, specifier] of source.matchAll(IMPORT)) {
    const target = resolve(path, specifier!);
    if (target.startsWith('../')) continue; // package.json and the like, outside of src/
    const other = roomOf(target);
    if (other === room || may === 'all') continue;
    if (other === undefined || !may.includes(other)) {
      found.push(`src/${path} imports ${specifier}: ${room} may not import ${other ?? target}`);
    }
  }
  return found;
}

function resolve(from: string, specifier: string): string {
  const stack = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') {
      if (stack.length === 0 || stack.at(-1) === '..') stack.push('..');
      else stack.pop();
    } else if (part !== '.') stack.push(part);
  }
  return stack.join('/');
}
