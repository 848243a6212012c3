import { join } from 'node:path';
import { errorCode, LongshoreError, messageOf } from '../../lib/errors.ts';
import { systemClock } from '../../lib/clock.ts';
import type { Transport } from '../../client/transport.ts';
import type { KubeObject } from '../../types/kubernetes/meta.ts';
import { applyAll, serviceUrls, waitForAnswers, waitForWorkloads } from './apply.ts';
import { ensureBase, type Machine } from './bases.ts';
import { ignoredBy, tarOf } from './context.ts';
import type { Docker } from './docker.ts';
import type { Project } from './project.ts';

/** Runs a named phase; `note` tells what it is about just now. */
export type Phase = <T>(name: string, work: (note: (detail: string) => void) => Promise<T>) => Promise<T>;

export interface DeployOptions {
  readonly docker: Docker;
  readonly transport: Transport;
  readonly machine: Machine;
  readonly namespace: string;
  readonly timeoutMs: number;
  readonly phase: Phase;
  readonly say: (line: string) => void;
}

/** Builds, deploys, and waits until the project answers. @returns the addresses at which it does */
export async function deploy(project: Project, options: DeployOptions): Promise<readonly { readonly name: string; readonly url: string }[]> {
  const { docker, transport, machine, namespace, timeoutMs, phase, say } = options;
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
        throw new LongshoreError(errorCode(error), `${file} could not be built: ${messageOf(error)}`, { object: file, remedy: 'Correct it there, and run longshore up again.', cause: error });
      }
    });
  }
  if (project.objects.length === 0) return [];
  await phase(`apply ${project.objects.length} objects`, () => applyAll(transport, project.objects, namespace, (object) => project.sources?.get(object)));
  await phase('pods available', (note) => waitForWorkloads(transport, project.objects, namespace, systemClock, timeoutMs, note));
  const urls = await serviceUrls(transport, project.objects, namespace);
  await phase('services answer', (note) => waitForAnswers(transport, project.objects, namespace, urls, systemClock, timeoutMs, note));
  return urls;
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
