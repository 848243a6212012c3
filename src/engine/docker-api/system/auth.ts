import { isErrno, LongshoreError } from '../../../lib/errors.ts';
import { isLoopbackDomain } from '../../images/reference.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { AUTH } from '../shapes.ts';

interface AuthBody {
  readonly username?: string;
  readonly password?: string;
  readonly serveraddress?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** `POST /auth`: tries what a user logs in with. Nothing of it is kept here: the client sends it with each pull and push. */
export async function logIn(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const { username, password, serveraddress = '', identitytoken, registrytoken } = (await request.json<AuthBody>(AUTH)) ?? {};
  const credentials = {
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(identitytoken ? { identityToken: identitytoken } : {}),
    ...(registrytoken ? { registryToken: registrytoken } : {}),
  };
  try {
    const token = await deps.images.logIn(serveraddress, credentials, request.signal);
    return { body: { Status: 'Login Succeeded', IdentityToken: token ?? '' } };
  } catch (error) {
    // Docker has 500 for a registry that can't be reached; a client would take 503 for the engine's own state.
    if (isErrno(error instanceof Error ? error.cause : undefined, 'ECONNREFUSED')) {
      throw new LongshoreError(
        'internal',
        `Get "${addressOf(serveraddress)}/v2/": dial tcp ${addressOf(serveraddress).replace(/^https?:\/\//, '')}: connect: connection refused`,
        { cause: error },
      );
    }
    if (error instanceof LongshoreError && error.code === 'unavailable') {
      throw new LongshoreError('internal', error.message, {
        cause: error,
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      });
    }
    throw error;
  }
}

function addressOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').replace(/\/.*$/s, '');
  return `${isLoopbackDomain(host) ? 'http' : 'https'}://${host}`;
}
