import { createLogger } from '../lib/log.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { Home } from './home.ts';
import { joinedName } from './join.ts';
import { startPlatform } from './platform.ts';
import { runDaemon } from './run-daemon.ts';
import { readSettings } from './settings.ts';

/** The daemon of a whole platform: see {@link runDaemon}. */
export async function serve(home: Home, nodeName: string, environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  await runDaemon(home, async (useLogger, onPhase) => {
    const { listen, logLevel, nodeGraceSeconds, registry, dockerSocket, without } = await readSettings(home, environment);
    const logger = useLogger(createLogger((line) => void process.stderr.write(line), Date.now, logLevel));
    const joined = await joinedName(home.pki);
    if (joined !== undefined) {
      throw new LongshoreError('conflict', `${home.root} belongs to a node of another cluster, ${joined}`, {
        object: `home ${home.root}`,
        remedy:
          'To run the node: longshore agent. For a platform of its own, set LONGSHORE_HOME to another folder, or leave the cluster: longshore uninstall --yes.',
      });
    }
    const platform = await startPlatform({
      home, nodeName, logger, registry, standardDockerSocket: dockerSocket, without, onPhase,
      ...(listen !== undefined && { apiAddress: listen }), ...(nodeGraceSeconds !== undefined && { nodeMonitorGraceMs: nodeGraceSeconds * 1000 }),
    });
    logger.info('longshore is up', { docker: platform.status.docker, api: platform.status.api });
    return platform;
  });
}
