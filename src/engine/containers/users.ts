import { closeSync, constants, read } from 'node:fs';
import { promisify } from 'node:util';
import { openInRoot } from '../../host/beneath.ts';
import { LongshoreError, isErrno } from '../../lib/errors.ts';

/** Nobody's user database is larger; a hostile image's might be. */
const LARGEST_FILE_BYTES = 4 * 1024 * 1024;
/** The largest id that Docker, and the kernel's signed interfaces, take. */
const LARGEST_ID = 2 ** 31 - 1;

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** For HOME; `/` when the user has no entry. */
  readonly home: string;
}

/**
 * Resolves `user`, `uid`, `user:group`, … against the passwd and group files of the tree at `rootfs`, which
 * are opened beneath it and read up to a bound. `strict`: the user's memberships in the group file don't count,
 * only the main group and the `additional` ones.
 * @throws `invalid`: no such user or group, an id out of range, a file too large
 */
export async function resolveUser(
  rootfs: string,
  user: string,
  additional: readonly (number | string)[] = [],
  strict = false,
): Promise<ResolvedUser> {
  const colon = user.indexOf(':');
  const [userPart, groupPart] = colon < 0 ? [user, ''] : [user.slice(0, colon), user.slice(colon + 1)];
  const [passwd, group] = await Promise.all([readDatabase(rootfs, 'etc/passwd'), readDatabase(rootfs, 'etc/group')]);
  const wanted = userPart === '' ? '0' : userPart;
  const number = numberOf(wanted);
  const entry = passwd.find((fields) => fields[0] === wanted) ?? (number === undefined ? undefined : passwd.find((fields) => Number(fields[2]) === number));
  if (entry === undefined && number === undefined) {
    if (/^-\d+$/.test(wanted)) inRange(Number(wanted));
    throw new LongshoreError('invalid', `unable to find user ${wanted}: no matching entries in passwd file`, {
      remedy: 'Name a user of the image, or a number.',
    });
  }
  const uid = inRange(entry === undefined ? number! : Number(entry[2]));
  let gid = entry === undefined ? 0 : inRange(Number(entry[3]));
  const gids = new Set<number>();
  if (groupPart !== '') {
    gid = groupId(group, groupPart);
  } else if (entry !== undefined && !strict) {
    for (const fields of group) if ((fields[3] ?? '').split(',').includes(entry[0]!)) gids.add(inRange(Number(fields[2])));
  }
  for (const each of additional) gids.add(typeof each === 'number' ? inRange(each) : groupId(group, each));
  // The main group stands in the list as well: leaving it out would let a process shed it (setgroups).
  return { uid, gid, additionalGids: [...new Set([gid, ...gids])], home: entry?.[5] || '/' };
}

function groupId(groups: readonly (readonly string[])[], name: string): number {
  const entry = groups.find((fields) => fields[0] === name);
  if (entry !== undefined) return inRange(Number(entry[2]));
  const number = numberOf(name);
  if (number === undefined && /^-\d+$/.test(name)) inRange(Number(name));
  if (number === undefined) {
    throw new LongshoreError('invalid', `unable to find group ${name}: no matching entries in group file`, {
      remedy: 'Name a group of the image, or a number.',
    });
  }
  return inRange(number);
}

function numberOf(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function inRange(id: number): number {
  if (!Number.isInteger(id) || id < 0 || id > LARGEST_ID) {
    throw new LongshoreError('invalid', `uids and gids must be in range 0-${LARGEST_ID}`);
  }
  return id;
}

const readDescriptor = promisify(read);

async function readDatabase(rootfs: string, path: string): Promise<string[][]> {
  let fd: number;
  try {
    fd = await openInRoot(rootfs, path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'ELOOP')) return []; // an image without users
    throw error;
  }
  try {
    const chunks: Buffer[] = [];
    for (let size = 0; ; ) {
      const chunk = Buffer.allocUnsafe(64 * 1024);
      const { bytesRead } = await readDescriptor(fd, chunk, 0, chunk.length, null);
      if (bytesRead === 0) break;
      size += bytesRead;
      if (size > LARGEST_FILE_BYTES) {
        throw new LongshoreError('invalid', `/${path} of the image is larger than ${LARGEST_FILE_BYTES >> 20} MiB`, { object: `/${path}` });
      }
      chunks.push(chunk.subarray(0, bytesRead));
    }
    return Buffer.concat(chunks)
      .toString('utf8')
      .split('\n')
      .filter((line) => line.includes(':') && !line.startsWith('#'))
      .map((line) => line.trim().split(':'));
  } catch (error) {
    if (isErrno(error, 'EISDIR')) return [];
    throw error;
  } finally {
    closeSync(fd);
  }
}
