import { LongshoreError } from '../../../lib/errors.ts';
import type { Image, Platform } from '../../images/images.ts';
import { OCI_MANIFEST } from '../../images/media-types.ts';
import { platformName } from '../../images/manifest.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest } from '../request.ts';
import { platformOf } from './pull.ts';

/** The platform that an image was made for. */
export function imagePlatform({ document: { os, architecture, variant } }: Image): Platform {
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/**
 * The platforms that a request names with each `key`. An image is here for one platform, the one that was pulled, loaded or built:
 * what names another one asks for what is not here. @throws `not-found`, `invalid`
 */
export function checkPlatforms(request: ApiRequest, key: 'platform' | 'platforms', name: string, image: Image): Platform | undefined {
  let last: Platform | undefined;
  for (const text of request.query.getAll(key)) {
    last = platformOf(text);
    if (last === undefined) continue;
    const here = imagePlatform(image);
    if (
      here.os !== last.os ||
      here.architecture !== last.architecture ||
      (last.variant !== undefined && here.variant !== undefined && last.variant !== here.variant)
    ) {
      throw new LongshoreError(
        'not-found',
        `image with reference ${name} was found but does not provide the specified platform (${platformName(last)})`,
        { object: `image ${name}`, remedy: `It is here for ${platformName(here)}. Pull the other one with --platform.` },
      );
    }
  }
  return last;
}

/** The descriptor of an image's manifest. */
export async function descriptorOf(
  deps: Pick<Deps, 'images'>,
  image: Image,
): Promise<{ readonly mediaType: string; readonly digest: string; readonly size: number }> {
  const bytes = await deps.images.content.read(image.manifestDigest);
  const { mediaType } = JSON.parse(bytes.toString('utf8')) as { readonly mediaType?: string };
  return { mediaType: mediaType ?? OCI_MANIFEST, digest: image.manifestDigest, size: bytes.length };
}

/** An image as one of the manifests under its name (API 1.47 and later): the only one, since an image is kept for one platform. */
export async function manifestSummary(deps: Pick<Deps, 'images' | 'containers'>, image: Image): Promise<Record<string, unknown>> {
  const descriptor = await descriptorOf(deps, image);
  const platform = imagePlatform(image);
  const config = (await deps.images.content.size(image.id)) ?? 0;
  const content = image.layers.reduce((sum, layer) => sum + layer.size, descriptor.size + config);
  return {
    ID: image.manifestDigest,
    Descriptor: { ...descriptor, platform },
    Available: true,
    Size: { Content: content, Total: content + image.sizeBytes },
    Kind: 'image',
    ImageData: {
      Platform: platform,
      Size: { Unpacked: image.sizeBytes },
      Containers: deps.containers
        .list()
        .filter((container) => container.spec.image.id === image.id)
        .map((container) => container.id),
    },
  };
}
