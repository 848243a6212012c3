import { connect, createServer } from 'node:net';
import type { Links } from '../host/host.ts';
import type { Logger } from '../lib/log.ts';
import type { InstanceConfig } from './home.ts';

/**
 * Lets pods reach an API server that listens on loopback alone: takes connections at the instance's inner address, which no
 * other machine has a route to, and hands them on. Nothing to do when the API listens on more.
 */
export async function openInnerAddress({ links, config, logger }: { readonly links: Pick<Links, 'addDummy'>; readonly config: Pick<InstanceConfig, 'id' | 'innerAddress' | 'listen' | 'apiPort'>; readonly logger: Logger }): Promise<(options: { readonly remove: boolean }) => Promise<void>> {
  if (config.listen !== undefined) return () => Promise.resolve();
  const undo = await links.addDummy(`ls${config.id.slice(0, 4)}api`, [`${config.innerAddress}/32`]);
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: '127.0.0.1', port: config.apiPort, noDelay: true });
    // Either end's failure ends the other.
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  server.on('error', (error) => logger.error('pods can not reach the API', { address: config.innerAddress, error: error.message }));
  await new Promise<void>((resolve) => server.listen(config.apiPort, config.innerAddress, resolve));
  return async ({ remove }) => {
    server.close();
    if (remove) await undo();
  };
}
