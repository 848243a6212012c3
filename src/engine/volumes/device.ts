import { LongshoreError } from '../../lib/errors.ts';

/** What the options `type`, `o` and `device` of the local driver ask for. */
export interface DeviceOptions {
  readonly type: string;
  readonly device: string;
  readonly options: readonly string[];
}

const KNOWN = new Set(['type', 'o', 'device', 'size']);
const WORD = /^[^,\0]*$/;

/**
 * The device of a volume, or undefined for a plain folder.
 * @throws `invalid` (an option that the driver doesn't know, or `o` and `device` without each other)
 */
export function deviceOptions(name: string, driverOpts: Readonly<Record<string, string>>): DeviceOptions | undefined {
  const object = `volume ${name}`;
  for (const key of Object.keys(driverOpts)) {
    if (!KNOWN.has(key)) {
      throw new LongshoreError('invalid', `create ${name}: invalid option: ${JSON.stringify(key)}`, {
        object,
        remedy: 'The local driver takes type, o, device and size.',
      });
    }
  }
  if (driverOpts['size'] !== undefined) {
    throw new LongshoreError('not-implemented', `create ${name}: quotas (size) of local volumes are not implemented`, { object });
  }
  const { type = '', o = '', device = '' } = driverOpts;
  if (type === '' && o === '' && device === '') return undefined;
  const options = o.split(',').filter((word) => word !== '');
  const bind = options.includes('bind') || options.includes('rbind');
  if (device === '' || (type === '' && !bind)) {
    throw new LongshoreError('invalid', `create ${name}: missing required option: ${JSON.stringify(device === '' ? 'device' : 'type')}`, {
      object,
    });
  }
  if (bind && !device.startsWith('/')) {
    throw new LongshoreError('invalid', `create ${name}: the device of a bind is an absolute path, and ${device} is not`, { object });
  }
  if (![type, device].every((word) => WORD.test(word))) {
    throw new LongshoreError('invalid', `create ${name}: type and device hold no comma`, { object });
  }
  return { type: bind ? 'bind' : type, device, options };
}
