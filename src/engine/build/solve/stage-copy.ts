import { LongshoreError } from '../../../lib/errors.ts';
import { expandHeredoc } from '../dockerfile/expand.ts';
import type { Instruction } from '../dockerfile/instructions.ts';
import { keyOf } from './cache.ts';
import type { StepResult } from './cache.ts';
import { resolvePath } from './config.ts';
import { download, isGit, isUrl, modeOf, ownerOf } from './copy-step.ts';
import type { Downloaded } from './copy-step.ts';
import type { StepProgress } from './progress.ts';
import { inScratch, withChain } from './scratch.ts';
import type { StageContext } from './stage-context.ts';

type Copy = Extract<Instruction, { kind: 'ADD' | 'COPY' }>;

interface Files {
  readonly name: string;
  readonly content: string;
}

/** COPY and ADD: files of the context, of another stage or image, of heredocs, and (ADD) of addresses. */
export async function copyInstruction(builder: StageContext, instruction: Copy): Promise<void> {
  const { flags, kind } = instruction;
  const sources = instruction.sources.map((source) => builder.word(source));
  const destination = resolvePath(builder.config, builder.word(instruction.destination));
  const chown = flags.chown === undefined ? undefined : builder.word(flags.chown);
  const mode = modeOf(flags.chmod === undefined ? undefined : builder.word(flags.chmod), instruction.line);
  const exclude = flags.exclude.map((pattern) => builder.word(pattern));
  const files = instruction.heredocs.map(({ name, content, expand }): Files => ({
    name,
    content: expand ? expandHeredoc(content, (variable) => builder.lookup(variable), builder.request.dockerfile.escape) : content,
  }));
  const remote = kind === 'ADD' ? sources.filter((source) => isUrl(source) && !isGit(source)) : [];
  const git = kind === 'ADD' ? sources.find(isGit) : undefined;
  if (git !== undefined) {
    throw new LongshoreError('not-implemented', `ADD ${git}: fetching from git is not supported`, {
      object: git,
      remedy: 'Clone the repository before the build, and copy it from the context.',
    });
  }
  const local = sources.filter((source) => !remote.includes(source));
  const createdBy = `${kind} ${[...(chown === undefined ? [] : [`--chown=${chown}`]), ...(flags.chmod === undefined ? [] : [`--chmod=${builder.word(flags.chmod)}`]), ...(flags.from === undefined ? [] : [`--from=${flags.from}`]), ...sources, ...files.map((file) => `<<${file.name}`), builder.word(instruction.destination)].join(' ')} # buildkit`;
  const how = [kind, destination, chown ?? '', mode ?? '', exclude, flags.parents, files, sources.length];
  const { trees } = builder.solver.parts.images;
  const { signal } = builder.request;

  /** Copies from a root into a layer of its own. */
  const copy = (root: string, from: readonly string[], downloaded: readonly Downloaded[] = []): Promise<StepResult> =>
    inScratch(builder.solver.parts, builder.chainId, signal, async (scratch) => {
      const owner = await ownerOf(scratch.root, chown);
      const common = {
        into: scratch.root,
        destination: from.length + downloaded.length + files.length > 1 && !destination.endsWith('/') ? `${destination}/` : destination,
        ...(mode === undefined ? {} : { mode }),
      };
      if (from.length > 0 || files.length > 0) {
        await trees.copy(
          {
            ...common,
            selection: { root, sources: from, exclude, parents: flags.parents },
            ...(owner ? { owner } : {}),
            files,
            ...(kind === 'ADD' && flags.unpack !== false ? { unpack: true } : {}),
          },
          signal,
        );
      }
      for (const { root, name } of downloaded) {
        await trees.copy(
          {
            ...common,
            selection: { root, sources: [name] },
            owner: owner ?? { uid: 0, gid: 0 },
            ...(flags.unpack ? { unpack: true } : {}),
          },
          signal,
        );
      }
    });

  if (flags.from !== undefined) {
    const from = await builder.fileSystem(flags.from);
    if (from.kind === 'chain') {
      // By what the other file system is made of; when that is new, by what the files are.
      await builder.step(instruction, createdBy, keyOf('copy', how, from.fsKey, local), async (step) =>
        withChain(builder.solver.parts, from.chainId, async (root) => {
          const digest = await digestOf(() => trees.digest({ root, sources: local, exclude, parents: flags.parents }, signal));
          return await builder.solver.parts.cache.run(
            keyOf('copied', builder.fsKey, how, digest),
            instruction.text.slice(0, 200),
            () => copy(root, local),
            { ignore: builder.ignoreCache, signal, onCached: () => step.cached() },
          );
        }),
      );
      return;
    }
    const digest = await digestOf(() => trees.digest({ root: from.root, sources: local, exclude, parents: flags.parents }, signal));
    await builder.step(instruction, createdBy, keyOf('copied', how, digest), () => copy(from.root, local));
    return;
  }
  const downloads: Downloaded[] = [];
  try {
    for (const address of remote) downloads.push(await fetched(builder, address, flags.checksum));
    const root = local.length > 0 ? await builder.solver.context() : builder.solver.parts.folder;
    const digest = local.length > 0 ? await digestOf(() => trees.digest({ root, sources: local, exclude, parents: flags.parents }, signal)) : '';
    const addresses = downloads.map(({ name, digest }) => [name, digest]);
    await builder.step(instruction, createdBy, keyOf('copied', how, digest, addresses), () => copy(root, local, downloads));
  } finally {
    for (const { remove } of downloads) await remove();
  }
}

async function fetched(builder: StageContext, address: string, checksum: string | undefined): Promise<Downloaded> {
  const id = builder.solver.vertexId('download', builder.stage.index, address);
  return await builder.request.progress.step(id, address, [], (step: StepProgress) =>
    download(builder.solver.parts, address, checksum, step, builder.request.signal),
  );
}

/** Words a missing file as BuildKit does. */
async function digestOf(digest: () => Promise<string>): Promise<string> {
  try {
    return await digest();
  } catch (error) {
    if (error instanceof LongshoreError && error.code === 'not-found') {
      throw new LongshoreError('not-found', `failed to calculate checksum of the source: ${error.message}`, {
        ...(error.object === undefined ? {} : { object: error.object }),
        remedy: 'Check the path, and that .dockerignore does not exclude it.',
        cause: error,
      });
    }
    throw error;
  }
}
