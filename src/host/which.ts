import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The path of a program; undefined when it is in none of the folders of PATH (nor in those of system programs, which a user's PATH may lack). */
export async function which(name: string, path: string = process.env['PATH'] ?? ''): Promise<string | undefined> {
  for (const folder of new Set([...path.split(delimiter).filter((part) => part !== ''), '/usr/local/sbin', '/usr/sbin', '/sbin'])) {
    const candidate = join(folder, name);
    const runs = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return candidate;
  }
  return undefined;
}
