import { constants, open, unlink } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

/**
 * Starts a created container without forking the runtime: its first process waits in the opening of `exec.fifo`
 * for writing, and goes on as soon as somebody reads it. That, and removing the fifo, is all that `runc start` does.
 * Resolves when the process has gone on, or `ended` has.
 * @throws ENOENT when there is no such fifo
 */
export async function openGate(stateFolder: string, ended: Promise<unknown>): Promise<void> {
  const path = `${stateFolder}/exec.fifo`;
  // Non-blocking: the process may have been killed, and then nobody ever opens the other end.
  const fd = await promisify(open)(path, constants.O_RDONLY | constants.O_NONBLOCK);
  await new Promise<void>((resolve) => {
    // The socket polls the fifo, and owns the descriptor from here on.
    const socket = new Socket({ fd, readable: true, writable: false });
    const done = (): void => {
      socket.destroy();
      resolve();
    };
    socket.once('data', done);
    socket.once('end', done);
    socket.once('error', done);
    void ended.then(done, done);
  });
  // Nobody waits for that: it is tidiness, and goes with the folder at the latest.
  unlink(path, () => undefined);
}
