import { createLogger, type Logger } from '../lib/log.ts';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import { failure, openControl } from './control.ts';
import { openNotify } from './daemon.ts';
import type { Home } from './home.ts';
import { writeCompiledSoon } from './launch.ts';
import type { OnPhase } from './phases.ts';
import type { DaemonStatus } from './status.ts';

/** What serves for long: the whole platform, or a node alone. */
export interface Served {
  readonly status: DaemonStatus;
  /** `stopContainers`: all that runs ends, and nothing is left on the host; else it goes on without us. */
  close(options: { readonly stopContainers: boolean; readonly onPhase?: OnPhase }): Promise<void>;
}

/**
 * Runs what `start` starts until a signal or `longshore down`, and tells whoever waits on the notify descriptor.
 * SIGTERM and SIGINT leave containers and pods running; `down` ends them. The process ends with it.
 * @param start gets what makes the logger, which knows its level once settings are read
 */
export async function runDaemon(home: Home, start: (useLogger: (made: Logger) => Logger, onPhase: OnPhase) => Promise<Served>): Promise<void> {
  const notify = await openNotify();
  let logger = createLogger((line) => void process.stderr.write(line), Date.now, 'info');
  process.on('unhandledRejection', (error) =>
    logger.error('a promise was rejected and nobody looked', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }),
  );
  try {
    const served = await start((made) => (logger = made), (phase, ms) => void notify?.({ phase, ms }));
    let stopped = (_code: number): void => {};
    const over = new Promise<number>((resolve) => (stopped = resolve));
    // However the stop went, the process ends: half of a platform serves nobody.
    const stop = async (how: { readonly stopContainers: boolean; readonly onPhase?: OnPhase }): Promise<void> => {
      let code = 1;
      try {
        await served.close(how);
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
    await notify?.({ ready: served.status });
    writeCompiledSoon();
    const code = await over;
    await Promise.race([control.close(), new Promise((resolve) => setTimeout(resolve, 500))]);
    process.exit(code);
  } catch (error) {
    await notify?.({ failed: failure(error) });
    // What the user can mend needs no place in the source.
    if (error instanceof LongshoreError && error.code !== 'internal') {
      logger.error('could not start', failure(error));
    } else {
      logger.error('could not start', {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        ...(error instanceof LongshoreError && failure(error)),
      });
    }
    process.exit(1);
  }
}
