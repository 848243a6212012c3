import { join } from 'node:path';
import { errorCode, LongshoreError, messageOf } from '../../lib/errors.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Transport } from '../../client/transport.ts';
import type { KubeObject } from '../../types/kubernetes/meta.ts';
import { applyAll, serviceUrls, waitForAnswers, waitForWorkloads } from './apply.ts';
import { ensureBase, type Machine } from './bases.ts';
import { ignoredBy, tarOf } from './context.ts';
import type { Docker } from './docker.ts';
import { noteImages, objectsFor, type BuiltImage } from './images.ts';
import type { Phase } from './phase.ts';
import type { Project } from './project.ts';

export interface DeployOptions {
  readonly docker: Docker;
  /** Path of the socket behind it, for clients. */
  readonly dockerSocket: string;
  readonly transport: Transport;
  readonly machine: Machine;
  readonly namespace: string;
  readonly timeoutMs: number;
  readonly phase: Phase;
  readonly say: (line: string) => void;
  /** Ends a program that was started for it. */
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Builds, deploys, and waits until the project answers. @returns the addresses at which it does */
export async function deploy(project: Project, options: DeployOptions): Promise<readonly { readonly name: string; readonly url: string }[]> {
  const { docker, dockerSocket, transport, machine, namespace, timeoutMs, phase, say, signal, environment } = options;
  if (project.compose !== undefined) {
    const { deployCompose } = await import('./compose.ts');
    return deployCompose({
      file: project.compose,
      folder: project.folder,
      docker,
      dockerSocket,
      machine,
      clock: systemClock,
      timeoutMs,
      phase,
      say,
      signal,
      environment,
    });
  }
  const own = new Set(project.builds.map(({ tag }) => tag));
  const tags = imageTags(project, own);
  for (const base of new Set(project.builds.flatMap(({ bases }) => bases))) {
    if (own.has(base) || (await docker.hasImage(base))) continue;
    const how = await phase(`base image ${base}`, (note) => ensureBase(docker, machine, base, note));
    if (how) say(`    ${how}`);
  }
  for (const { context, dockerfile, tag } of project.builds) {
    const name = tags.get(tag) ?? tag;
    await phase(`build ${name}`, async (note) => {
      try {
        await docker.build(tarOf(context, await ignoredBy(context)), { tag: name, dockerfile }, note);
      } catch (error) {
        const file = join(context, dockerfile);
        throw new LongshoreError(errorCode(error), `${file} could not be built: ${messageOf(error)}`, {
          object: file,
          remedy: 'Correct it there, and run longshore up again.',
          cause: error,
        });
      }
    });
  }
  const images = await Promise.all(project.builds.map(({ tag }) => builtImage(docker, tags.get(tag) ?? tag)));
  const given = project.objects.length > 0 ? project.objects : images.flatMap(objectsFor);
  const objects = noteImages(given, images);
  const sources = new Map(objects.map((object, index) => [object, project.sources?.get(given[index]!)]));
  await phase(`apply ${objects.length} objects`, () => applyAll(transport, objects, namespace, (object) => sources.get(object)));
  await phase('pods available', (note) => waitForWorkloads(transport, objects, namespace, systemClock, timeoutMs, note));
  const urls = await serviceUrls(transport, objects, namespace);
  await phase('services answer', (note) => waitForAnswers(transport, objects, namespace, urls, systemClock, timeoutMs, note));
  return urls;
}

async function builtImage(docker: Docker, name: string): Promise<BuiltImage> {
  const { Config, Id } = (await docker.json('GET', `/images/${name}/json`)) as {
    readonly Id: string;
    readonly Config?: { readonly ExposedPorts?: Readonly<Record<string, unknown>> | null };
  };
  return { name, id: Id, ports: Object.keys(Config?.ExposedPorts ?? {}) };
}

/**
 * Names of the images that are built: the folder's own name, or the name that the manifests use for it: `web/`
 * in the project `guestbook` is `guestbook-web` where a pod says so.
 */
export function imageTags(project: Project, own: ReadonlySet<string>): ReadonlyMap<string, string> {
  const used = new Set(project.objects.flatMap(imagesOf));
  const tags = new Map<string, string>();
  for (const tag of own) {
    const candidates = [tag, `${project.name}-${tag}`, `${project.name}/${tag}`];
    const match = [...used].find((image) => candidates.includes(image.replace(/:[^/]*$/, '')));
    tags.set(tag, match ?? tag);
  }
  return tags;
}

function imagesOf(object: KubeObject): string[] {
  const found: string[] = [];
  const walk = (value: unknown, depth: number): void => {
    if (depth > 20 || typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      if (key === 'image' && typeof child === 'string') found.push(child);
      else walk(child, depth + 1);
    }
  };
  walk(object, 0);
  return found;
}
