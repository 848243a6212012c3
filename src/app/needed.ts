import { PACKAGE_OF } from '../host/spawn.ts';
import { which } from '../host/which.ts';
import { LongshoreError } from '../lib/errors.ts';

/** What no container runs without. */
const NEEDED: Readonly<Record<string, string>> = { runc: 'runs containers', conmon: 'supervises containers' };

/**
 * Looks for the programs that must be there, before anything is started: a platform that comes up and can run nothing helps nobody.
 * @throws LongshoreError `unavailable`, with what to install
 */
export async function assertNeeded(): Promise<void> {
  const found = await Promise.all(Object.keys(NEEDED).map(async (name) => ((await which(name)) === undefined ? [name] : [])));
  const missing = found.flat();
  if (missing.length === 0) return;
  throw new LongshoreError(
    'unavailable',
    `${missing.map((name) => `${name}, which ${NEEDED[name]},`).join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not installed`,
    {
      object: 'this machine',
      remedy: `Install ${missing.length > 1 ? 'them' : 'it'}: apt-get install ${missing.map((name) => PACKAGE_OF[name] ?? name).join(' ')}. To see all that is needed: longshore doctor`,
    },
  );
}
