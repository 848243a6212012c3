import { lstat, readlink, rename, rm, symlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { isErrno, LongshoreError } from '../lib/errors.ts';

/** Where Docker's clients look for an engine by themselves. */
const STANDARD_SOCKET = '/var/run/docker.sock';

/**
 * Makes the place where clients look for an engine lead to this instance's socket.
 * @throws LongshoreError `conflict` when another engine answers there, or something else lies there
 */
export async function linkDockerSocket(socket: string, place = STANDARD_SOCKET): Promise<void> {
  const there = await lstat(place).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  });
  if (there?.isSymbolicLink() && (await readlink(place)) === socket) return;
  if (there && !there.isSymbolicLink() && !there.isSocket()) {
    throw new LongshoreError('conflict', `${place} is no socket`, {
      object: place,
      remedy: 'Move it away, or start without --docker-socket.',
    });
  }
  if (there && (await answers(place))) {
    throw new LongshoreError('conflict', `another engine answers at ${place}`, {
      object: place,
      remedy: 'Stop it, or start without --docker-socket and use: eval "$(longshore env)"',
    });
  }
  await symlink(socket, `${place}.${process.pid}`);
  await rename(`${place}.${process.pid}`, place);
}

/** Takes the link away if it is this instance's. Safe to call twice. */
export async function unlinkDockerSocket(socket: string, place = STANDARD_SOCKET): Promise<void> {
  try {
    if ((await readlink(place)) === socket) await rm(place, { force: true });
  } catch (error) {
    if (!isErrno(error, 'ENOENT') && !isErrno(error, 'EINVAL')) throw error; // there is none, or it is no link
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
