// Bundles the command into dist/: one entry, with a chunk for each part that is loaded only when it is used.
import { rename, rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const fresh = join(root, `dist.${process.pid}`);

await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
await build({
  entryPoints: { longshore: join(root, 'src/cli/main.ts') },
  outdir: fresh,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  sourcemap: 'linked',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: false,
  logLevel: 'warning',
});
// Whole or not at all: two launchers may build at once.
await rm(dist, { recursive: true, force: true });
await rename(fresh, dist);
