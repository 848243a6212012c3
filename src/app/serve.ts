import { createLogger, type LogLevel } from '../lib/log.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import { failure, openControl } from './control.ts';
import { openNotify } from './daemon.ts';
import type { Home } from './home.ts';
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
    let stopped = (): void => {};
    const over = new Promise<void>((resolve) => (stopped = resolve));
    const control = await openControl(home, async (onPhase) => {
      await platform.close({ stopContainers: true, onPhase });
      // The answer goes out first.
      setTimeout(stopped, 50);
    });
    const end = (signal: string): void => {
      logger.info('stopping; containers go on', { signal });
      platform.close({ stopContainers: false }).catch((error: unknown) => logger.error('could not stop in good order', { error: messageOf(error) })).finally(stopped);
    };
    process.once('SIGTERM', end).once('SIGINT', end);
    await notify?.({ ready: platform.status });
    await over;
    await Promise.race([control.close(), new Promise((resolve) => setTimeout(resolve, 500))]);
    process.exit(0);
  } catch (error) {
    await notify?.({ failed: failure(error) });
    logger.error('could not start', { error: error instanceof Error ? error.stack ?? error.message : String(error) });
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
