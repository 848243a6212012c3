import type { HostPorts } from '../host/host.ts';
import { isCode, isErrno, LongshoreError } from '../lib/errors.ts';
import type { Home } from './home.ts';
import type { InstanceConfig } from './instance.ts';

/** The same error, with who has the API's port and where another is chosen, if it says that the port is taken; else as it is. */
export async function nameHolder(
  error: unknown,
  ports: Pick<HostPorts, 'holder'>,
  home: Pick<Home, 'configFile'>,
  { apiPort }: Pick<InstanceConfig, 'apiPort'>,
): Promise<unknown> {
  if (!(error instanceof LongshoreError) || !isCode(error, 'conflict') || !isErrno(error.cause, 'EADDRINUSE')) return error;
  // This instance may listen on that port of other addresses already.
  const { address } = error.cause as Error & { readonly address?: string };
  const holder = await ports.holder('tcp', apiPort, address);
  return new LongshoreError('conflict', error.message, {
    ...(error.object !== undefined && { object: error.object }),
    remedy: `${holder ?? 'Another program'} has it. Stop that, or set "apiPort" in ${home.configFile} to another port.`,
    cause: error,
  });
}
