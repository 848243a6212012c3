// Bundles the command: one entry, with a chunk for each part that is loaded only when it is used.
//
// dist/<hash>/ holds one build, by its content, and never changes; dist/current points to the newest. A daemon goes on
// loading parts from the build that it was started from, so a build stays until no process runs from it any more.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { build as bundle, type Plugin } from 'esbuild';

/** A build that was replaced less than this long ago may be about to be started by a launcher that read the pointer before. */
const GRACE_MS = 60_000;
const BUILD_NAME = /^[0-9a-f]{16}$/;

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const dist = join(root, 'dist');
const fresh = join(dist, `new.${process.pid}`);
const begun = new Date();

/**
 * An import of a built-in module reads all that it exports, and some of that is made when it is first read: `node:http` then loads all of
 * fetch and WebSocket, which no part of a start uses (10 ms and 3 MiB). These modules are taken without what they make on demand.
 */
const withoutGetters: Plugin = {
  name: 'without-getters',
  setup(build) {
    build.onResolve({ filter: /^(?:node:)?(?:http|process)$/ }, ({ path }) => ({ path: path.replace('node:', ''), namespace: 'builtin' }));
    build.onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => {
      const module = process.getBuiltinModule(`node:${path}`) as object;
      const names = Object.entries(Object.getOwnPropertyDescriptors(module)).flatMap(([name, property]) =>
        'get' in property || !/^[A-Za-z]\w*$/.test(name) ? [] : name,
      );
      return {
        contents: `const module = process.getBuiltinModule('node:${path}');\nexport default module;\n${names.map((name) => `export const ${name} = module.${name};\n`).join('')}`,
      };
    });
  },
};

await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
await bundle({
  absWorkingDir: root,
  entryPoints: { longshore: join(root, 'src/cli/main.ts') },
  outdir: fresh,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  // Native, and what makes bundles.
  external: ['koffi', 'esbuild'],
  plugins: [withoutGetters],
  // The same as its build for Node, as ES modules.
  alias: { yaml: join(import.meta.dirname, '../node_modules/yaml/browser/dist/index.js') },
  sourcemap: 'linked',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: false,
  logLevel: 'warning',
});
const name = await hashOf(fresh);
try {
  await rename(fresh, join(dist, name));
} catch (error) {
  if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  await rm(fresh, { recursive: true }); // the same was built before
}
await point(name);
await prune(name);

/** By names and contents; source maps, which tell where the sources lie, aside. */
async function hashOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of (await readdir(folder)).sort()) {
    if (!file.endsWith('.map')) hash.update(`${file}\0`).update(await readFile(join(folder, file)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Whole or not at all: launchers read the pointer at any moment, and two may build at once. */
async function point(to: string): Promise<void> {
  const pointer = join(dist, 'current');
  const before = await readlink(pointer).catch(() => undefined); // the first build has none before it
  const now = new Date();
  if (before !== undefined && before !== to) {
    await utimes(join(dist, before), now, now).catch(() => undefined);
  } // somebody pruned it: that is as good
  const next = join(dist, `pointer.${process.pid}`);
  await rm(next, { force: true });
  await symlink(to, next);
  await rename(next, pointer);
  // What launchers compare the sources' times with: a source that was written while we built is newer.
  await writeFile(join(dist, 'built'), `${to}\n`);
  await utimes(join(dist, 'built'), begun, begun);
}

/** Removes builds from which no process runs and that none is about to run from. */
async function prune(current: string): Promise<void> {
  const used = await buildsInUse();
  for (const entry of await readdir(dist)) {
    const path = join(dist, entry);
    const left = /^(?:new|pointer)\.(\d+)$/.exec(entry);
    if (
      left ? Number(left[1]) === process.pid || (await isAlive(left[1]!)) : !BUILD_NAME.test(entry) || entry === current || used.has(entry)
    ) {
      continue;
    }
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    ); // another build pruned it
    if (left || age > GRACE_MS) await rm(path, { recursive: true, force: true });
  }
}

/** The builds that command lines of this machine's processes name. */
async function buildsInUse(): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const words = (await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '')).split('\0'); // it ended while we looked
    // By whatever path this folder was reached.
    for (const word of words) used.add(/\/dist\/([0-9a-f]{16})\//.exec(word)?.[1] ?? '');
  }
  return used;
}

function isAlive(pid: string): Promise<boolean> {
  return stat(join('/proc', pid)).then(() => true, () => false);
}
