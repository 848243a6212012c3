import { LongshoreError } from '../../../lib/errors.ts';
import type { HostConfig } from './config.ts';

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Options of Docker's two file drivers. Those about labels and tags are kept for inspect; they add nothing to our
 * records. Rotated files stay as they are, compressed or not is nothing that a reader sees.
 */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  'json-file': ['max-size', 'max-file', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag', 'mode', 'max-buffer-size'],
  local: ['max-size', 'max-file', 'compress', 'mode', 'max-buffer-size'],
};

/** Rotation by `max-size` and `max-file` of the json-file and local drivers. @throws `invalid` */
export function logRotation(host: HostConfig): { logRotation?: { readonly maxBytes: number; readonly files: number } } {
  const driver = host.LogConfig?.Type || 'json-file';
  const options = host.LogConfig?.Config ?? {};
  if (driver === 'none') return {};
  for (const name of Object.keys(options)) {
    if (KNOWN[driver]?.includes(name) === false) {
      throw new LongshoreError(
        'invalid',
        `unknown log opt '${name}' for ${driver === 'local' ? 'log driver local' : `${driver} log driver`}`,
      );
    }
  }
  if (!['', 'blocking', 'non-blocking'].includes(options['mode'] ?? '')) {
    throw new LongshoreError('invalid', `logger: logging mode not supported: ${options['mode']}`);
  }
  if (options['max-buffer-size'] !== undefined && options['mode'] !== 'non-blocking') {
    throw new LongshoreError('invalid', "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  const size = /^(\d+)([bkmg]?)b?$/i.exec(options['max-size'] ?? '');
  if (options['max-size'] !== undefined && options['max-size'] !== '-1' && size === null) {
    throw new LongshoreError('invalid', `invalid value for max-size: "${options['max-size']}"`);
  }
  const files = Number(options['max-file'] ?? 1);
  if (!Number.isInteger(files) || files < 1) throw new LongshoreError('invalid', 'max-file cannot be less than 1');
  const compress = options['compress'];
  if (compress !== undefined && !/^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)$/.test(compress)) {
    throw new LongshoreError('invalid', `strconv.ParseBool: parsing "${compress}": invalid syntax`, { object: 'compress' });
  }
  if (/^(1|t)/i.test(compress ?? '') && driver === 'json-file' && (files < 2 || size === null)) {
    throw new LongshoreError('invalid', 'compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  if (driver === 'local' && options['max-file'] === '1' && !/^(0|f)/i.test(compress ?? '')) {
    throw new LongshoreError('invalid', 'compression cannot be enabled when max file count is 1', {
      object: 'max-file',
      remedy: 'Give compress=false too.',
    });
  }
  if (size === null) return {};
  return { logRotation: { maxBytes: Number(size[1]) * SIZE_UNITS[size[2]!.toLowerCase()]!, files } };
}
