import { hostname } from 'node:os';
import { relaunchAsServer } from '../app/launch.ts';
import { settingsEnvironment } from '../app/settings.ts';
import { command } from './command.ts';
import { requireRoot } from './instance.ts';
import { SETTINGS_FLAGS } from './settings-flags.ts';

export const cli = command(
  {
    about:
      'Runs the platform in the foreground until a signal. SIGTERM and SIGINT stop the daemon and leave containers running; "longshore down" stops them too.',
    flags: SETTINGS_FLAGS,
  },
  async ({ environment, home }, values) => {
    requireRoot('Longshore makes namespaces, mounts and networks', 'longshore server');
    relaunchAsServer(process);
    const { serve } = await import('../app/serve.ts');
    await serve(home, hostname().toLowerCase(), { ...environment, ...settingsEnvironment(values) });
    return 0;
  },
);
