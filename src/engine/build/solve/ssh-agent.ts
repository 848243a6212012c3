import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { chmod, chown } from 'node:fs/promises';
import { messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/log.ts';
import type { AgentConnection } from './request.ts';

/** Connections of one command at a time; git and ssh open one each. */
const MOST_CONNECTIONS = 32;

/**
 * A socket on which a command finds the agent of the client: each connection is handed on. The keys stay where they are.
 * @returns what ends it and its connections
 */
export async function serveAgent(
  path: string,
  owner: { readonly uid: number; readonly gid: number; readonly mode: number },
  connect: AgentConnection,
  logger: Logger,
): Promise<() => Promise<void>> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    // Told by the end of what is read from it.
    socket.on('error', () => socket.destroy());
    connect(socket).catch((error: unknown) => {
      logger.debug('a connection to the agent ended', { error: messageOf(error) });
      socket.destroy();
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  await chown(path, owner.uid, owner.gid);
  await chmod(path, owner.mode);
  return async () => {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    for (const socket of open) socket.destroy();
    await closed;
  };
}
