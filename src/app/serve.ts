import { createLogger, type LogLevel } from '../lib/log.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import { failure, openControl } from './control.ts';
import { openNotify } from './daemon.ts';
import type { Home } from './home.ts';
import { writeCompiledSoon } from './launch.ts';
import { startPlatform } from './platform.ts';

/**
 * The daemon: starts the platform, tells whoever waits on the notify descriptor, and runs until a signal or `down`.
 * SIGTERM and SIGINT leave containers and pods running; `down` ends them.
 */
export async function serve(home: Home, nodeName: string): Promise<void> {
  const notify = await openNotify();
  const logger = createLogger((line) => void process.stderr.write(line), Date.now, (process.env.LONGSHORE_LOG as LogLevel | undefined) ?? 'info');
  process.on('unhandledRejection', (error) => logger.error('a promise was rejected and nobody looked', { error: error instanceof Error ? error.stack ?? error.message : String(error) }));
  try {
    const platform = await startPlatform({ home, nodeName, logger, ...(process.env.LONGSHORE_LISTEN && { apiAddress: process.env.LONGSHORE_LISTEN }), ...nodeGrace(process.env.LONGSHORE_NODE_GRACE_SECONDS), onPhase: (phase, ms) => void notify?.({ phase, ms }) });
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

/** Nodes renew their leases each 10 s: with less than this they would come and go. */
const LEAST_GRACE_SECONDS = 12;

/** LONGSHORE_NODE_GRACE_SECONDS: how long a node may be silent before it is not ready. */
function nodeGrace(value: string | undefined): { readonly nodeMonitorGraceMs?: number } {
  if (value === undefined || value === '') return {};
  const seconds = Number(value);
  if (!(seconds >= LEAST_GRACE_SECONDS && seconds <= 3600)) throw new LongshoreError('invalid', `LONGSHORE_NODE_GRACE_SECONDS=${value} is not a number of seconds from ${LEAST_GRACE_SECONDS} to 3600`, { remedy: 'Leave it out for the default, 40.' });
  return { nodeMonitorGraceMs: seconds * 1000 };
}
