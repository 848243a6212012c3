import { LongshoreError } from '../../../lib/errors.ts';
import { UndoStack } from '../../../lib/undo.ts';
import { parsePlatform } from '../../images/manifest.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { ignorePatterns } from '../dockerignore.ts';
import { cleanParts } from '../../images/tree/match.ts';
import type { Progress } from '../solve/progress.ts';
import type { BuildParts, BuildRequest, BuildResult, ContextSource, NamedContext } from '../solve/request.ts';
import { Solver } from '../solve/solver.ts';
import { digestOf } from '../../images/digest.ts';
import type { ContextFolders } from './contexts.ts';
import type { SourceFile } from './errors.ts';
import { receiveFiles } from './file-receive.ts';
import type { Session } from './sessions.ts';

const DOCKERFILE_BYTES = 2 << 20;

export interface FrontendBuild {
  readonly parts: BuildParts;
  readonly folders: ContextFolders;
  readonly session: Session;
  readonly ref: string;
  /** BuildKit's frontend attributes: filename, target, build-arg:…, label:…, context:…, … */
  readonly attrs: Readonly<Record<string, string>>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Told as soon as the Dockerfile is read: errors quote it. */
  onSource(source: SourceFile): void;
}

/** The frontend dockerfile.v0: reads the Dockerfile and the context through the session, and builds. */
export async function buildDockerfile(build: FrontendBuild): Promise<BuildResult> {
  const { attrs, parts, progress, signal } = build;
  refuse(attrs);
  const undo = new UndoStack();
  try {
    const filename = attrs['filename'] || 'Dockerfile';
    const { text, ignore } = await loadDefinition(build, filename, undo);
    build.onSource({ filename, text });
    // Not a refusal: the build is right without, and pipelines give it to whatever builder there is.
    if (attrs['cache-imports'] || attrs['cache-from']) {
      progress.warn(
        digestOf(`${build.ref}\0definition`),
        '--cache-from is not read: this builder takes what was built here before from its own cache',
        0,
      );
    }
    const dockerfile = parseDockerfile(text);
    const contextName = attrs['contextkey'] || 'context';
    const request: BuildRequest = {
      id: build.ref,
      dockerfile,
      target: attrs['target'] ?? '',
      buildArgs: prefixed(attrs, 'build-arg:'),
      labels: prefixed(attrs, 'label:'),
      noCache: attrs['no-cache'] === undefined ? false : attrs['no-cache'] === '' || attrs['no-cache'].split(','),
      pull: attrs['image-resolve-mode'] === 'pull',
      platform: attrs['platform'] ? parsePlatform(attrs['platform']) : parts.platform,
      networkMode: attrs['force-network-mode'] === 'none' || attrs['force-network-mode'] === 'host' ? attrs['force-network-mode'] : 'default',
      extraHosts: (attrs['add-hosts'] ?? '').split(',').filter((host) => host !== '').map((host) => host.replace('=', ':')),
      shmBytes: Number(attrs['shm-size'] ?? 0),
      memoryBytes: 0,
      context: sessionContext(build, contextName, '[internal] load build context', ignore, undo),
      namedContexts: namedContexts(build, undo),
      secret: (id) => build.session.secret(id, signal),
      sshAgent: (id) => build.session.sshAgent(id, signal),
      credentials: (domain) => build.session.credentials(domain, signal),
      progress,
      signal,
    };
    return await new Solver(parts, request).solve();
  } finally {
    await undo.run();
  }
}

function refuse(attrs: Readonly<Record<string, string>>): void {
  if (attrs['requestid'] !== undefined) {
    throw new LongshoreError(
      'not-implemented',
      `${attrs['requestid'] === 'frontend.lint' ? '--check' : `--call ${attrs['requestid'].replace('frontend.', '')}`} is not supported by this builder`,
      { remedy: 'Build without --call and --check.' },
    );
  }
  if ((attrs['platform'] ?? '').includes(',')) {
    throw new LongshoreError('not-implemented', 'building for several platforms at once is not supported', {
      remedy: 'Build for one platform at a time, with --platform.',
    });
  }
  const sbom = attrs['attest:sbom'];
  if (sbom !== undefined && !sbom.includes('disabled=true')) {
    throw new LongshoreError('not-implemented', 'attestations (--sbom) are not made by this builder', { remedy: 'Build without --sbom.' });
  }
  for (const [name, flag] of [
    ['ulimit', '--ulimit'],
    ['cgroup-parent', '--cgroup-parent'],
  ] as const) {
    if (attrs[name]) {
      throw new LongshoreError('not-implemented', `${flag} is not supported by this builder`, { remedy: `Build without ${flag}.` });
    }
  }
  const context = attrs['context'];
  if (context !== undefined && context !== '') {
    throw new LongshoreError('not-implemented', `building from ${context.replace(/\/\/[^/@]*@/, '//')} is not supported`, {
      remedy: 'Fetch it first, and build from the folder.',
    });
  }
}

/** The Dockerfile, and what .dockerignore says. */
async function loadDefinition(build: FrontendBuild, filename: string, undo: UndoStack): Promise<{ text: string; ignore: readonly string[] }> {
  const { attrs, folders, parts, progress, ref, session, signal } = build;
  const name = attrs['dockerfilekey'] || 'dockerfile';
  const { path, release } = await folders.take(session.sharedKey === '' ? '' : `${session.sharedKey} ${name}`);
  undo.push(release);
  const own = `${filename}.dockerignore`;
  const text = await progress.step(
    digestOf(`${ref}\0definition`),
    `[internal] load build definition from ${filename}`,
    [],
    async (step) => {
      await receiveFiles(session, { name, into: path, include: [filename, own], follow: [filename, own], signal });
      const found = await parts.images.trees.read(path, filename, DOCKERFILE_BYTES);
      if (found === undefined) {
        throw new LongshoreError('not-found', `failed to read dockerfile: open ${filename}: no such file or directory`, {
          object: filename,
          remedy: 'Name the Dockerfile with -f.',
        });
      }
      step.status(`transferring dockerfile:`, Buffer.byteLength(found), Buffer.byteLength(found), true);
      return found;
    },
  );
  const special = await parts.images.trees.read(path, own, DOCKERFILE_BYTES);
  if (special !== undefined) return { text, ignore: ignorePatterns(special) };
  const ignore = await progress.step(digestOf(`${ref}\0ignore`), '[internal] load .dockerignore', [], async (step) => {
    const context = await folders.take('');
    try {
      await receiveFiles(session, {
        name: attrs['contextkey'] || 'context',
        into: context.path,
        include: ['.dockerignore'],
        follow: ['.dockerignore'],
        signal,
      });
      const found = (await parts.images.trees.read(context.path, '.dockerignore', DOCKERFILE_BYTES)) ?? '';
      step.status('transferring context:', Buffer.byteLength(found), Buffer.byteLength(found), true);
      return ignorePatterns(found);
    } finally {
      await context.release();
    }
  });
  return { text, ignore };
}

/** A folder of the client. What is taken of it decides what is sent. */
function sessionContext(build: FrontendBuild, name: string, title: string, exclude: readonly string[], undo: UndoStack): ContextSource {
  let received: Promise<string> | undefined;
  return {
    name,
    root: (paths, progress: Progress) =>
      (received ??= progress.step(digestOf(`${build.ref}\0context\0${name}`), title, [], async (step) => {
        const { path, release } = await build.folders.take(build.session.sharedKey === '' ? '' : `${build.session.sharedKey} ${name}`);
        undo.push(release);
        const clean = paths.map((each) => cleanParts(each).join('/'));
        // The whole folder, or a pattern that may be anything in it.
        const follow = clean.length === 0 || clean.includes('') ? [] : [...new Set(clean)].sort();
        let bytes = 0;
        await receiveFiles(build.session, { name, into: path, exclude, follow, signal: build.signal, progress: (current) => (bytes = current) });
        step.status('transferring context:', bytes, bytes, true);
        return path;
      })),
  };
}

function namedContexts(build: FrontendBuild, undo: UndoStack): ReadonlyMap<string, NamedContext> {
  const out = new Map<string, NamedContext>();
  for (const [key, address] of Object.entries(prefixed(build.attrs, 'context:'))) {
    const name = key.toLowerCase();
    if (address.startsWith('docker-image://')) {
      out.set(name, { kind: 'image', reference: address.slice('docker-image://'.length) });
    } else if (address.startsWith('local:')) {
      out.set(name, {
        kind: 'folder',
        source: sessionContext(build, address.slice('local:'.length), `[context ${name}] load from client`, [], undo),
      });
    } else {
      out.set(name, { kind: 'unsupported', address });
    }
  }
  return out;
}

function prefixed(attrs: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  return Object.fromEntries(Object.entries(attrs).flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])));
}
