import { SETTINGS } from '../app/settings.ts';
import type { Flag } from './command.ts';

/** The server's settings as flags. */
export const SETTINGS_FLAGS: Readonly<Record<string, Flag>> = Object.fromEntries(
  SETTINGS.map(({ choices, describe, environment, flag, value }) => [
    flag,
    {
      type: value === undefined ? 'boolean' : 'string',
      ...(value !== undefined && { value }),
      ...(choices && { choices }),
      describe: `${describe} [${environment}]`,
    } satisfies Flag,
  ]),
);
