import { connect, createServer } from 'node:net';
import type { Links } from '../host/host.ts';
import { LongshoreError } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { InstanceConfig } from './instance.ts';

/**
 * Makes the instance's inner address, which no other machine has a route to. Lets pods reach an API server that listens on loopback alone:
 * takes connections there and hands them on; that is not needed when the API listens on more.
 */
export async function openInnerAddress({
  links,
  config,
  logger,
}: {
  readonly links: Pick<Links, 'addDummy'>;
  readonly config: Pick<InstanceConfig, 'id' | 'innerAddress' | 'listen' | 'apiPort'>;
  readonly logger: Logger;
}): Promise<(options: { readonly remove: boolean }) => Promise<void>> {
  const undo = await links.addDummy(`ls${config.id.slice(0, 4)}api`, [`${config.innerAddress}/32`]);
  if (config.listen !== undefined) return ({ remove }) => (remove ? Promise.resolve(undo()) : Promise.resolve());
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: '127.0.0.1', port: config.apiPort, noDelay: true });
    // Either end's failure ends the other.
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new LongshoreError('conflict', `can't listen at ${config.innerAddress}:${config.apiPort}: ${error.message}`, {
          object: 'the address at which pods reach the API',
          remedy: 'See who has it: ss -ltnp',
          cause: error,
        }),
      ),
    );
    server.listen(config.apiPort, config.innerAddress, resolve);
  });
  server.on('error', (error) => logger.error('pods can not reach the API', { address: config.innerAddress, error: error.message }));
  return async ({ remove }) => {
    server.close();
    if (remove) await undo();
  };
}
