export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A structured log. Never receives a token, key or Secret's value. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Writes one logfmt line an entry through `write`, stamped by `now` (ms since the epoch). */
export function createLogger(write: (line: string) => void, now: () => number, level: LogLevel = 'info', base: LogFields = {}): Logger {
  const emit = (at: LogLevel, message: string, fields: LogFields = {}): void => {
    if (RANK[at] < RANK[level]) return;
    let line = `${new Date(now()).toISOString()} ${at} ${message}`;
    for (const [key, value] of Object.entries({ ...base, ...fields })) {
      if (value !== undefined) {
        line += ` ${key}=${typeof value === 'string' && /[\s"=]/.test(value) ? JSON.stringify(value) : String(value)}`;
      }
    }
    write(line + '\n');
  };
  return {
    debug: (m, f) => emit('debug', m, f),
    info: (m, f) => emit('info', m, f),
    warn: (m, f) => emit('warn', m, f),
    error: (m, f) => emit('error', m, f),
    child: (fields) => createLogger(write, now, level, { ...base, ...fields }),
  };
}

/** Drops everything: for tests and short commands. */
export const silentLogger: Logger = createLogger(() => {}, () => 0, 'error');
