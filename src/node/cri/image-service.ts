import type { Image, Images } from '../../engine/images/images.ts';
import type { AuthConfig, CriImage } from './cri.ts';

/** An image as CRI lists it. */
export function imageStatus(image: Image): CriImage {
  const user = image.document.config.User?.split(':')[0] ?? '';
  const uid = /^\d+$/.test(user) ? Number(user) : undefined;
  return {
    id: image.id,
    repoTags: image.references,
    repoDigests: image.repoDigests,
    size: BigInt(image.sizeBytes),
    ...(uid !== undefined && { uid }),
    username: uid === undefined ? user : '',
    pinned: false,
  };
}

/** Pulls, and returns the image's id. */
export async function pull(images: Images, name: string, auth: AuthConfig | undefined, signal: AbortSignal | undefined): Promise<string> {
  const [username, password] = auth?.auth ? split(Buffer.from(auth.auth, 'base64').toString()) : [auth?.username, auth?.password];
  const image = await images.pull(name, {
    ...(auth && {
      credentials: {
        ...(username && { username }),
        ...(password && { password }),
        ...(auth.identityToken && { identityToken: auth.identityToken }),
        ...(auth.registryToken && { registryToken: auth.registryToken }),
      },
    }),
    ...(signal && { signal }),
  });
  return image.id;
}

function split(pair: string): [string, string] {
  const at = pair.indexOf(':');
  return [pair.slice(0, at), pair.slice(at + 1)];
}
