import { isCode, LongshoreError } from '../../../lib/errors.ts';
import type { Image } from '../../images/images.ts';
import { platformName } from '../../images/manifest.ts';
import { fullName, parseTagged } from '../../images/reference.ts';
import type { Platform } from '../../images/images.ts';
import type { StepProgress } from './progress.ts';
import type { BuildParts, BuildRequest } from './request.ts';

/**
 * The image of a FROM or `--from`: one that is here, unless `--pull` asks for a newer one, else from its registry.
 * @throws `not-found`, `unauthorized`, `unavailable`, with the name
 */
export async function resolveBase(parts: BuildParts, request: BuildRequest, name: string, platform: Platform, step: StepProgress): Promise<Image> {
  const reference = parseTagged(name);
  if (!request.pull) {
    try {
      const image = await parts.images.get(name);
      if (image.document.architecture === platform.architecture || image.document.architecture === '') return image;
    } catch (error) {
      if (!isCode(error, 'not-found')) throw error;
    }
  }
  try {
    const credentials = await request.credentials(reference.domain);
    return await parts.images.pull(name, {
      platform,
      signal: request.signal,
      ...(credentials ? { credentials } : {}),
      progress: (event) => {
        if (event.id === undefined) return;
        const done = event.status === 'Pull complete' || event.status === 'Already exists' || event.status === 'Download complete';
        step.status(
          `${event.status === 'Extracting' ? 'extracting' : 'sha256:'} ${event.id}`.replace(': ', ':'),
          event.current ?? event.total ?? 0,
          event.total ?? 0,
          done,
        );
      },
    });
  } catch (error) {
    if (!(error instanceof LongshoreError) || error.code === 'canceled') throw error;
    throw new LongshoreError(
      error.code,
      `${fullName(reference)}: failed to resolve source metadata for ${platformName(platform)}: ${error.message}`,
      { object: `image ${name}`, ...(error.remedy === undefined ? {} : { remedy: error.remedy }), cause: error },
    );
  }
}
