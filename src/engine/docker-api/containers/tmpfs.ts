import { LongshoreError } from '../../../lib/errors.ts';
import type { MountSpec } from '../../containers/containers.ts';

type Tmpfs = Extract<MountSpec, { type: 'tmpfs' }>;

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
/** Words of mount(8). */
const FLAGS = /^(?:(?:no)?(?:exec|suid|dev|atime|diratime|relatime|strictatime|mand)|a?sync|dirsync|defaults|r?(?:private|shared|slave|unbindable))$/;
/** A tmpfs of one container is shared with nobody; these words change nothing. */
const PROPAGATION = /^r?(?:private|shared|slave|unbindable)$/;
/** Fields of tmpfs(5), with what they may be. */
const FIELDS: Readonly<Record<string, RegExp>> = { uid: /^\d+$/, gid: /^\d+$/, nr_inodes: /^\d+[kmg]?$/i, nr_blocks: /^\d+[kmg]?$/i, mpol: /^[\w:=,-]+$/ };

/** What follows `--tmpfs TARGET:`. @throws `invalid`, naming the option */
export function parseTmpfs(text: string): Omit<Tmpfs, 'target'> {
  const found: { sizeBytes?: number; mode?: number; readOnly: boolean } = { readOnly: false };
  const options = new Map<string, string>();
  for (const option of text.split(',')) {
    const [key = '', value] = option.split('=', 2);
    const size = key === 'size' ? /^(\d+)([kmgt]?)$/i.exec(value ?? '') : null;
    if (size !== null) { found.sizeBytes = Number(size[1]) * UNITS[size[2]!.toLowerCase()]!; }
    else if (key === 'size' && /^\d{1,2}%$|^100%$/.test(value ?? '')) { options.set(key, option); }
    else if (key === 'mode' && /^[0-7]{1,5}$/.test(value ?? '')) { found.mode = Number.parseInt(value!, 8); }
    else if (option === 'ro' || option === 'rw') { found.readOnly = option === 'ro'; }
    else if (value !== undefined && FIELDS[key]?.test(value) === true) { options.set(key, option); }
    else if (FLAGS.test(option)) {
      if (!PROPAGATION.test(option) && option !== 'defaults') options.set(option.replace(/^no/, ''), option);
    } else if (option !== '') {
      throw new LongshoreError('invalid', `Invalid tmpfs option "${option}"`, {
        object: option,
        remedy: 'Use those of tmpfs(5), as in size=64m,mode=1777,uid=1000,exec.',
      });
    }
  }
  return { type: 'tmpfs', ...found, ...(options.size === 0 ? {} : { options: [...options.values()] }) };
}

/** `TmpfsOptions.Options` of a mount: pairs, of which there are but these. @throws `invalid` */
export function tmpfsOptions(pairs: unknown): readonly string[] {
  if (pairs === null || pairs === undefined) return [];
  if (!Array.isArray(pairs)) throw new LongshoreError('invalid', 'invalid JSON: TmpfsOptions.Options has to be a list of lists');
  return pairs.map((pair: unknown) => {
    if (!Array.isArray(pair) || pair.length < 1 || pair.length > 2) {
      throw new LongshoreError('invalid', 'invalid mount config for type "tmpfs": invalid option array length');
    }
    const [name] = pair as unknown[];
    if (name !== 'exec' && name !== 'noexec') {
      throw new LongshoreError('invalid', `invalid mount config for type "tmpfs": invalid option: ${String(name)}`);
    }
    return name;
  });
}
