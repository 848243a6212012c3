/**
 * `node tools/peers/build.ts [NAME…]`: builds the real peers that `npm run
 * record` and `npm run bench` compare with, into LONGSHORE_PEERS (else
 * ~/.cache/longshore/peers). Needs Go, a C compiler and libseccomp's headers.
 * What is there already is not built again; `--again` does.
 */
import { execFile } from 'node:child_process';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { peerPrograms, peersFolder } from './folder.ts';
import { RECIPES, type Recipe } from './recipes.ts';

const run = promisify(execFile);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Runs Go at low priority, outside of any workspace, with what it says kept for the error. */
async function go(folder: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env, GOFLAGS: '-buildvcs=false -mod=mod', GOWORK: 'off' };
  try {
    return (await run('nice', ['go', ...args], { cwd: folder, env, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`go ${args.join(' ')} in ${folder} failed: ${stderr === undefined || stderr === '' ? message : stderr.slice(-4000)}`, { cause: error });
  }
}

/** The modules that the peer's own go.mod takes from its folder `staging`. */
async function staged(folder: string, recipe: Recipe): Promise<string[]> {
  const { GoMod } = JSON.parse(await go(folder, ['mod', 'download', '-json', `${recipe.module}@${recipe.version}`])) as { GoMod: string };
  return [...(await readFile(GoMod, 'utf8')).matchAll(/^\s*(\S+) => \.\/staging\//gm)].map((found) => found[1]!);
}

async function build(name: string, recipe: Recipe): Promise<void> {
  const folder = join(peersFolder(), 'modules', name);
  await mkdir(folder, { recursive: true });
  await mkdir(peerPrograms(), { recursive: true });
  const isMain = recipe.main !== undefined;
  await writeFile(join(folder, 'go.mod'), `module peers\n\ngo 1.26.0\n\nrequire ${recipe.module} ${recipe.version}\n`);
  if (recipe.staging !== undefined) {
    const lines = (await staged(folder, recipe)).map((module) => `replace ${module} => ${module} ${recipe.staging}\n`);
    await writeFile(join(folder, 'go.mod'), `module peers\n\ngo 1.26.0\n\nrequire ${recipe.module} ${recipe.version}\n\n${lines.join('')}`);
  }
  await writeFile(
    join(folder, isMain ? 'main.go' : 'uses.go'),
    recipe.main ?? `package peers\n\nimport (\n${recipe.uses.map((path) => `\t_ "${path}"\n`).join('')})\n`,
  );
  // -e: packages for other systems, and tests of dependencies, need not resolve.
  await go(folder, ['mod', 'tidy', '-e']);
  await go(folder, ['get', `${recipe.module}@${recipe.version}`]);
  for (const [program, path] of Object.entries(recipe.programs)) {
    const flags = [...(recipe.tags === undefined ? [] : ['-tags', recipe.tags]), ...(recipe.ldflags === undefined ? [] : ['-ldflags', recipe.ldflags])];
    await go(folder, ['build', ...flags, '-o', join(peerPrograms(), program), path]);
    say(`built ${program} of ${recipe.module} ${recipe.version}`);
  }
}

const isThere = async (program: string): Promise<boolean> => await access(join(peerPrograms(), program)).then(() => true, () => false);

const { values, positionals } = parseArgs({ allowPositionals: true, options: { again: { type: 'boolean', default: false } } });
const names = positionals.length > 0 ? positionals : Object.keys(RECIPES);
for (const name of names) {
  const recipe = RECIPES[name];
  if (recipe === undefined) throw new Error(`there is no peer called ${name}; there are ${Object.keys(RECIPES).join(', ')}`);
  const there = await Promise.all(Object.keys(recipe.programs).map(isThere));
  if (there.every(Boolean) && !values.again) say(`${name} is there`);
  else await build(name, recipe);
}
