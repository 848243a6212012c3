import { createLogger } from '../lib/log.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import { failure, openControl } from './control.ts';
import { openNotify } from './daemon.ts';
import type { Home } from './home.ts';
import { writeCompiledSoon } from './launch.ts';
import { startPlatform } from './platform.ts';
import { readSettings } from './settings.ts';

/**
 * The daemon: starts the platform, tells whoever waits on the notify descriptor, and runs until a signal or `down`.
 * SIGTERM and SIGINT leave containers and pods running; `down` ends them.
 */
export async function serve(home: Home, nodeName: string, environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  const notify = await openNotify();
  let logger = createLogger((line) => void process.stderr.write(line), Date.now, 'info');
  process.on('unhandledRejection', (error) => logger.error('a promise was rejected and nobody looked', { error: error instanceof Error ? error.stack ?? error.message : String(error) }));
  try {
    const { listen, logLevel, nodeGraceSeconds, registry, dockerSocket } = await readSettings(home, environment);
    logger = createLogger((line) => void process.stderr.write(line), Date.now, logLevel);
    const platform = await startPlatform({
      home, nodeName, logger, registry, standardDockerSocket: dockerSocket,
      ...(listen !== undefined && { apiAddress: listen }), ...(nodeGraceSeconds !== undefined && { nodeMonitorGraceMs: nodeGraceSeconds * 1000 }),
      onPhase: (phase, ms) => void notify?.({ phase, ms }),
    });
    logger.info('longshore is up', { docker: platform.status.docker, api: platform.status.api });
    let stopped = (_code: number): void => {};
    const over = new Promise<number>((resolve) => (stopped = resolve));
    // However the stop went, the process ends: half of a platform serves nobody.
    const stop = async (how: { readonly stopContainers: boolean; readonly onPhase?: (name: string, ms: number) => void }): Promise<void> => {
      let code = 1;
      try {
        await platform.close(how);
        code = 0;
      } catch (error) {
        logger.error('could not stop in good order', { error: messageOf(error) });
        throw error;
      } finally {
        // An answer goes out first.
        setTimeout(stopped, 50, code);
      }
    };
    const control = await openControl(home, (onPhase) => stop({ stopContainers: true, onPhase }));
    const end = (signal: string): void => {
      logger.info('stopping; containers go on', { signal });
      stop({ stopContainers: false }).catch(() => undefined); // it is logged, and the exit code tells
    };
    process.once('SIGTERM', end).once('SIGINT', end);
    await notify?.({ ready: platform.status });
    writeCompiledSoon();
    const code = await over;
    await Promise.race([control.close(), new Promise((resolve) => setTimeout(resolve, 500))]);
    process.exit(code);
  } catch (error) {
    await notify?.({ failed: failure(error) });
    // What the user can mend needs no place in the source.
    if (error instanceof LongshoreError && error.code !== 'internal') logger.error('could not start', failure(error));
    else logger.error('could not start', { error: error instanceof Error ? error.stack ?? error.message : String(error), ...(error instanceof LongshoreError && failure(error)) });
    process.exit(1);
  }
}
