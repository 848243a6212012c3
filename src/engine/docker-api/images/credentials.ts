import type { IncomingHttpHeaders } from 'node:http';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Credentials } from '../../images/images.ts';

interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
  readonly serveraddress?: string;
}

/** The credentials of `X-Registry-Auth`: base64 of JSON. @throws `invalid` */
export function credentialsOf(headers: IncomingHttpHeaders): Credentials | undefined {
  const header = headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return undefined;
  let auth: AuthConfig;
  try {
    auth = JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as AuthConfig;
  } catch (error) {
    throw new LongshoreError('invalid', 'invalid X-Registry-Auth header', { cause: error });
  }
  const { username, password, identitytoken, registrytoken } = auth;
  if (!username && !identitytoken && !registrytoken) return undefined;
  return {
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(identitytoken ? { identityToken: identitytoken } : {}),
    ...(registrytoken ? { registryToken: registrytoken } : {}),
  };
}
