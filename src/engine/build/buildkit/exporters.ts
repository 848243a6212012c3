import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LongshoreError } from '../../../lib/errors.ts';
import { hexId } from '../../../lib/random.ts';
import { digestOf } from '../../images/digest.ts';
import type { Image } from '../../images/images.ts';
import { fullName, parseTagged } from '../../images/reference.ts';
import type { Progress, StepProgress } from '../solve/progress.ts';
import type { BuildParts, BuildResult } from '../solve/request.ts';
import { withChain } from '../solve/scratch.ts';
import { sendFile, sendFolder } from './file-send.ts';
import type { Exporter } from './messages.ts';
import type { Session } from './sessions.ts';

export interface Export {
  readonly parts: BuildParts;
  readonly session: Session;
  readonly ref: string;
  readonly result: BuildResult;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** What an exporter says to the client. */
type Response = Record<string, string>;

/** Gives the result to where the client wants it. @param index the exporter's number, by which the client knows its output */
export async function exportResult(job: Export, exporter: Exporter, index: number): Promise<Response> {
  const { progress, ref } = job;
  const shown: Record<string, string> = {
    moby: 'exporting to image',
    image: 'exporting to image',
    docker: 'exporting to docker image format',
    oci: 'exporting to oci image format',
    local: 'exporting to client directory',
    tar: 'exporting to client tarball',
  };
  const title = shown[exporter.type];
  if (title === undefined) {
    throw new LongshoreError('not-implemented', `exporter ${JSON.stringify(exporter.type)} could not be found`, {
      remedy: 'Use image, docker, oci, local or tar.',
    });
  }
  return await progress.step(digestOf(`${ref}\0export\0${index}`), title, [], async (step) => {
    switch (exporter.type) {
      case 'moby':
      case 'image':
        return await toImage(job, exporter, step);
      case 'docker':
      case 'oci':
        return await toArchive(job, exporter, index, step);
      case 'local':
        await withChain(job.parts, job.result.chainId, (root) => sendFolder(job.session, index, root, job.signal));
        return {};
      default:
        await toTar(job, index);
        return {};
    }
  });
}

/** Of what would have to be ignored, the first, named. */
export function refusalOfExporter({ attrs, type: kind }: Exporter): LongshoreError | undefined {
  const type = kind === 'moby' ? 'image' : kind;
  const name = (option: string): LongshoreError =>
    new LongshoreError('not-implemented', `--output type=${type},${option} is not supported by this builder`, {
      remedy: `Leave out ${option.replace(/=.*$/, '')}.`,
    });
  const { compression = 'gzip' } = attrs;
  if (compression !== 'gzip' && !(compression === 'uncompressed' && type !== 'image')) return name(`compression=${compression}`);
  if (attrs['rewrite-timestamp'] === 'true') return name('rewrite-timestamp=true');
  if (attrs['tar'] === 'false') return name('tar=false');
  for (const key of Object.keys(attrs)) {
    if (/^annotation-(?!manifest[.[])/.test(key)) {
      return new LongshoreError('not-implemented', `annotations of anything but the manifest are not supported by this builder (${key})`, {
        remedy: 'Annotate the manifest: --annotation KEY=VALUE.',
      });
    }
  }
  return undefined;
}

/** `annotation.KEY`, `annotation-manifest.KEY`, with a platform in brackets before the dot or without. */
function annotationsOf({ attrs }: Exporter): Record<string, string> {
  return Object.fromEntries(Object.entries(attrs).flatMap(([key, value]) => {
    const found = /^annotation(?:-manifest)?(?:\[[^\]]*\])?\.(.+)$/s.exec(key);
    return found === null ? [] : [[found[1]!, value]];
  }));
}

async function toImage(job: Export, exporter: Exporter, step: StepProgress): Promise<Response> {
  const { parts, result, signal } = job;
  const names = namesOf(exporter);
  step.status('exporting layers', 0, 0, true);
  const image = await parts.images.create(result.document, result.layers, names, { annotations: annotationsOf(exporter) });
  step.status(`writing image ${image.id}`, 0, 0, true);
  for (const name of names) step.status(`naming to ${name}`, 0, 0, true);
  // An image of this engine is known by its id, here too: compose compares the two to see whether a container's image has changed.
  const response: Response = { ...describe(image, names), 'containerimage.digest': image.id };
  if (exporter.attrs['push'] !== 'true') return response;
  for (const name of names) {
    const credentials = await job.session.credentials(parseTagged(name).domain, signal);
    const pushed = await parts.images.push(name, {
      signal,
      ...(credentials ? { credentials } : {}),
      progress: (event) => {
        if (event.id !== undefined) {
          step.status(
            `pushing layer ${event.id}`,
            event.current ?? 0,
            event.total ?? 0,
            event.status === 'Pushed' || event.status === 'Layer already exists',
          );
        }
      },
    });
    response['containerimage.digest'] = pushed.digest;
  }
  return response;
}

async function toArchive(job: Export, exporter: Exporter, index: number, step: StepProgress): Promise<Response> {
  const { parts, result, session, signal } = job;
  const names = namesOf(exporter);
  const image = await parts.images.create(result.document, result.layers, [], { annotations: annotationsOf(exporter) });
  step.status('exporting layers', 0, 0, true);
  step.status('sending tarball', 0, 0, false);
  await sendFile(session, index, await parts.images.save([image.id], { names }), {}, signal);
  step.status('sending tarball', 0, 0, true);
  return describe(image, names);
}

async function toTar(job: Export, index: number): Promise<void> {
  const { parts, result, session, signal } = job;
  const path = join(parts.folder, 'downloads', `export-${hexId(parts.random, 8)}.tar`);
  try {
    await withChain(parts, result.chainId, (root) => parts.images.trees.pack(root, path, signal));
    await sendFile(session, index, createReadStream(path, { highWaterMark: 1 << 20 }), {}, signal);
  } finally {
    await rm(path, { force: true });
  }
}

function namesOf(exporter: Exporter): string[] {
  return (exporter.attrs['name'] ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [fullName(parseTagged(name.trim()))]));
}

function describe(image: Image, names: readonly string[]): Response {
  return {
    'containerimage.digest': image.manifestDigest,
    'containerimage.config.digest': image.id,
    ...(names.length > 0 ? { 'image.name': names.join(',') } : {}),
  };
}
