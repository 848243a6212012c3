import { LongshoreError } from '../../../lib/errors.ts';
import { DockerfileError } from '../dockerfile/error.ts';
import { expandWord, WordError } from '../dockerfile/expand.ts';
import type { Dockerfile, Stage } from '../dockerfile/instructions.ts';
import { parseMount } from '../dockerfile/mounts.ts';
import type { Platform } from '../../images/images.ts';
import { platformName } from '../../images/manifest.ts';
import type { BuildRequest } from './request.ts';

/** The target, what it needs, and the variables that FROM lines and stages start with. */
export interface Plan {
  readonly target: Stage;
  /** In the file's order. */
  readonly needed: readonly Stage[];
  /** What a stage builds on: an earlier stage, `scratch`, or an image's name. */
  readonly bases: ReadonlyMap<Stage, Stage | 'scratch' | { readonly image: string }>;
  readonly globals: ReadonlyMap<string, string>;
  /** Platforms by stage, where FROM names one. */
  readonly platforms: ReadonlyMap<Stage, string>;
}

/** @throws DockerfileError, `not-found` for a target that isn't there */
export function makePlan(
  dockerfile: Dockerfile,
  request: Pick<BuildRequest, 'buildArgs' | 'namedContexts' | 'platform' | 'target'>,
  builderPlatform: Platform,
): Plan {
  const globals = platformArgs(request.platform, builderPlatform, request.target);
  for (const { name, value, line } of dockerfile.globals) {
    const given = request.buildArgs[name];
    if (given !== undefined) globals.set(name, given);
    else if (value !== undefined) globals.set(name, wordAt(value, globals, dockerfile.escape, line));
  }
  const bases = new Map<Stage, Stage | 'scratch' | { image: string }>();
  const platforms = new Map<Stage, string>();
  for (const stage of dockerfile.stages) {
    const base = wordAt(stage.base, globals, dockerfile.escape, stage.line);
    if (base === '') throw new DockerfileError(`base name (${stage.base}) should not be blank`, stage.line);
    const earlier = findStage(dockerfile.stages.slice(0, stage.index), base);
    bases.set(stage, request.namedContexts.has(base.toLowerCase()) ? { image: base } : (earlier ?? (base === 'scratch' ? 'scratch' : { image: base })));
    if (stage.platform !== undefined) platforms.set(stage, wordAt(stage.platform, globals, dockerfile.escape, stage.line));
  }
  const target = findTarget(dockerfile, request.target);
  const needed = new Set<Stage>();
  const visit = (stage: Stage): void => {
    if (needed.has(stage)) return;
    needed.add(stage);
    const base = bases.get(stage);
    if (base && typeof base === 'object' && 'index' in base) visit(base);
    for (const from of sourcesOf(stage, dockerfile.stages.slice(0, stage.index), request)) visit(from);
  };
  visit(target);
  return { target, needed: [...needed].sort((a, b) => a.index - b.index), bases, globals, platforms };
}

/** Finds a stage by its name. */
function findStage(stages: readonly Stage[], name: string): Stage | undefined {
  return stages.findLast((stage) => stage.name === name.toLowerCase());
}

/** What a COPY --from or a mount's from means among earlier stages: a name or a number. */
export function stageOf(stages: readonly Stage[], from: string): Stage | undefined {
  if (/^\d+$/.test(from)) return stages[Number(from)];
  return findStage(stages, from);
}

function findTarget(dockerfile: Dockerfile, target: string): Stage {
  const last = dockerfile.stages.at(-1)!;
  if (target === '') return last;
  const found = findStage(dockerfile.stages, target) ?? (/^\d+$/.test(target) ? dockerfile.stages[Number(target)] : undefined);
  if (!found) {
    throw new LongshoreError('not-found', `target stage ${JSON.stringify(target)} could not be found`, {
      object: target,
      remedy: `The Dockerfile has ${dockerfile.stages.flatMap((stage) => (stage.name === undefined ? [] : [stage.name])).join(', ') || 'no named stages'}.`,
    });
  }
  return found;
}

function sourcesOf(stage: Stage, earlier: readonly Stage[], request: Pick<BuildRequest, 'namedContexts'>): Stage[] {
  const names = stage.instructions.flatMap((instruction) => {
    if (instruction.kind === 'COPY' && instruction.flags.from !== undefined) {
      return [{ from: instruction.flags.from, line: instruction.line }];
    }
    if (instruction.kind !== 'RUN') return [];
    return instruction.mounts.flatMap((text) => {
      try {
        const { from } = parseMount(text);
        return from === undefined ? [] : [{ from, line: instruction.line }];
      } catch {
        // Said when its turn comes, with variables expanded.
        return [];
      }
    });
  });
  const out: Stage[] = [];
  for (const { from, line } of names) {
    if (request.namedContexts.has(from.toLowerCase())) continue;
    const found = stageOf(earlier, from);
    if (!found && /^\d+$/.test(from)) {
      throw new DockerfileError(`invalid stage index ${from}: there are ${earlier.length} earlier stages`, line);
    }
    if (found) out.push(found);
  }
  return out;
}

function platformArgs(target: Platform, builder: Platform, stage: string): Map<string, string> {
  return new Map([
    ['BUILDPLATFORM', platformName(builder)],
    ['BUILDOS', builder.os],
    ['BUILDARCH', builder.architecture],
    ['BUILDVARIANT', builder.variant ?? ''],
    ['TARGETPLATFORM', platformName(target)],
    ['TARGETOS', target.os],
    ['TARGETARCH', target.architecture],
    ['TARGETVARIANT', target.variant ?? ''],
    ['TARGETSTAGE', stage || 'default'],
  ]);
}

function wordAt(text: string, values: ReadonlyMap<string, string>, escape: string, line: number): string {
  try {
    return expandWord(text, (name) => values.get(name), escape);
  } catch (error) {
    if (error instanceof WordError) throw new DockerfileError(`failed to process ${JSON.stringify(text)}: ${error.message}`, line);
    throw error;
  }
}
