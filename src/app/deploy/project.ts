import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { isErrno, LongshoreError } from '../../lib/errors.ts';
import type { KubeObject } from '../../types/kubernetes/meta.ts';

/** What a folder holds that can be built and deployed. */
export interface Project {
  readonly folder: string;
  readonly name: string;
  readonly builds: readonly Build[];
  readonly objects: readonly KubeObject[];
  /** The file that each object is from. */
  readonly sources?: ReadonlyMap<KubeObject, string>;
  /** A compose file, which is deployed where there are no manifests. */
  readonly compose?: string;
}

export interface Build {
  /** Folder of the build's context. */
  readonly context: string;
  readonly dockerfile: string;
  readonly tag: string;
  /** What its FROM lines name, other than earlier stages. */
  readonly bases: readonly string[];
}

const MANIFEST_FOLDERS = ['', 'manifests', 'k8s', 'kubernetes', 'deploy'];
/** In the order in which Compose itself looks for them. */
const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const MOST_MANIFEST_BYTES = 3 * 2 ** 20;

/**
 * Looks at a folder: a Dockerfile in it builds an image with the folder's name, one in a folder beneath it an image with that
 * folder's name; manifests are the YAML files in it or in `manifests/`, `k8s/`, `kubernetes/` or `deploy/`.
 * A compose file counts where there are no manifests; what is built is its own affair then.
 * @throws LongshoreError `not-found` when there is nothing to do, `invalid` for YAML that can't be read
 */
export async function readProject(path: string): Promise<Project> {
  const folder = resolve(path);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) {
      throw new LongshoreError('not-found', `there is no folder ${folder}`, { remedy: 'Name a folder with a Dockerfile or manifests.' });
    }
    throw error;
  });
  const builds: Build[] = [];
  for (const name of ['.', ...entries.filter((entry) => entry.isDirectory()).map(({ name: child }) => child)]) {
    const build = await readBuild(join(folder, name), basename(join(folder, name)));
    if (build) builds.push(build);
  }
  const objects: KubeObject[] = [];
  const sources = new Map<KubeObject, string>();
  for (const sub of MANIFEST_FOLDERS) {
    for (const file of await manifestFiles(join(folder, sub))) {
      for (const object of await readManifest(file, folder)) {
        objects.push(object);
        sources.set(object, file);
      }
    }
  }
  const compose = COMPOSE_FILES.find((name) => entries.some((entry) => entry.name === name));
  if (compose !== undefined && objects.length === 0) {
    return { folder, name: basename(folder), builds: [], objects, compose: join(folder, compose) };
  }
  if (builds.length === 0 && objects.length === 0) {
    throw new LongshoreError('not-found', `${folder} has neither a Dockerfile nor manifests nor a compose file`, {
      remedy: 'Add a Dockerfile, a compose.yaml, or YAML files in it or in its folder manifests/.',
    });
  }
  return { folder, name: basename(folder), builds, objects, sources };
}

async function readBuild(context: string, name: string): Promise<Build | undefined> {
  const dockerfile = join(context, 'Dockerfile');
  let text: string;
  try {
    text = await readFile(dockerfile, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EISDIR')) return undefined;
    throw error;
  }
  return { context, dockerfile: 'Dockerfile', tag: name.toLowerCase().replaceAll(/[^a-z0-9._-]/g, '-'), bases: basesOf(text) };
}

/** The bases of a Dockerfile; none where there is no such file. */
export async function basesIn(dockerfile: string): Promise<string[]> {
  try {
    return basesOf(await readFile(dockerfile, 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'EISDIR')) return [];
    throw error;
  }
}

/** The images that a Dockerfile starts from: those of FROM and COPY --from which are neither stages nor `scratch`; ARG defaults are filled in. */
export function basesOf(dockerfile: string): string[] {
  const args = new Map<string, string>();
  const stages = new Set<string>(['scratch']);
  const bases = new Set<string>();
  const fill = (word: string): string =>
    word.replaceAll(/\$\{?(\w+)(?::-([^}]*))?\}?/g, (_, name: string, fallback?: string) => args.get(name) ?? fallback ?? '');
  let seenFrom = false;
  for (const line of dockerfile.replaceAll(/\\\r?\n/g, ' ').split('\n')) {
    const arg = /^\s*ARG\s+(\w+)=["']?([^"'\s]*)/i.exec(line);
    if (arg && !seenFrom) args.set(arg[1]!, arg[2]!);
    const from = /^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line);
    if (from) {
      seenFrom = true;
      const image = fill(from[1]!);
      if (!stages.has(image.toLowerCase())) bases.add(image);
      if (from[2]) stages.add(from[2].toLowerCase());
    }
    const copy = /^\s*(?:COPY|ADD)\s.*--from=(\S+)/i.exec(line);
    if (copy && !/^\d+$/.test(copy[1]!) && !stages.has(copy[1]!.toLowerCase())) bases.add(fill(copy[1]!));
  }
  return [...bases];
}

async function manifestFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder, { withFileTypes: true }))
      .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name) && !/^(docker-)?compose\.|^package(-lock)?\.json$|^tsconfig/.test(entry.name))
      .map(({ name }) => join(folder, name)).sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
    throw error;
  }
}

async function readManifest(file: string, folder: string): Promise<KubeObject[]> {
  if ((await stat(file)).size > MOST_MANIFEST_BYTES) {
    throw new LongshoreError('too-large', `${file} is larger than ${MOST_MANIFEST_BYTES} bytes`);
  }
  const found: KubeObject[] = [];
  for (const document of parseAllDocuments(await readFile(file, 'utf8'), { maxAliasCount: 100 } as object)) {
    const [problem] = document.errors;
    if (problem) {
      throw new LongshoreError('invalid', `${file} is no YAML: ${problem.message.trim()}`, {
        object: file,
        remedy: 'Correct it there, and run longshore up again.',
      });
    }
    const object = document.toJS({ maxAliasCount: 100 }) as (KubeObject & { readonly items?: readonly KubeObject[] }) | null;
    if (object === null) continue;
    if (typeof object.apiVersion !== 'string' || typeof object.kind !== 'string') {
      // Other YAML may lie in the folder itself; in a folder for manifests it is a mistake.
      if (relative(folder, file).includes('/')) {
        throw new LongshoreError('invalid', `${relative(folder, file)} holds something without apiVersion and kind`, {
          object: file,
          remedy: 'Add them, or move the file out of the folder for manifests.',
        });
      }
      continue;
    }
    found.push(...(object.kind === 'List' ? object.items ?? [] : [object]));
  }
  return found;
}
