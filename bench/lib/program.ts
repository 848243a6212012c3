import { cp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from './command.ts';

const root = join(import.meta.dirname, '../..');
let built: Promise<string> | undefined;
const copy = join(root, `node_modules/.longshore-bench-${process.pid}`);

/** The bundle as it is when the bench starts: a copy, so that a build meanwhile changes nothing. */
export async function program(): Promise<string> {
  built ??= (async () => {
    await command(join(root, 'longshore'), ['version']);
    await cp(await realpath(join(root, 'dist/current')), copy, { recursive: true });
    return join(copy, 'longshore.mjs');
  })();
  return await built;
}

export async function removeProgram(): Promise<void> {
  await rm(copy, { recursive: true, force: true });
}
