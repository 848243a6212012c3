import { LongshoreError } from '../../../lib/errors.ts';
import type { Undo } from '../../../lib/undo.ts';
import { digestOf } from '../../images/digest.ts';
import type { Image, Platform } from '../../images/images.ts';
import { parsePlatform } from '../../images/manifest.ts';
import { fullName, parseTagged } from '../../images/reference.ts';
import type { Stage } from '../dockerfile/instructions.ts';
import { resolveBase } from './bases.ts';
import { makePlan, stageOf } from './plan.ts';
import type { Plan } from './plan.ts';
import type { BuildParts, BuildRequest, BuildResult } from './request.ts';
import type { BuildContext } from './stage-context.ts';
import { StageBuilder } from './stage.ts';

/** One build: its stages run side by side, each waiting for others only where it takes something from them. */
export class Solver implements BuildContext {
  readonly parts: BuildParts;
  readonly request: BuildRequest;
  readonly plan: Plan;
  readonly #stages = new Map<Stage, Promise<BuildResult>>();
  readonly #bases = new Map<string, Promise<Image>>();
  readonly #holds: Undo[] = [];
  #context: Promise<string> | undefined;

  constructor(parts: BuildParts, request: BuildRequest) {
    this.parts = parts;
    this.request = request;
    this.plan = makePlan(request.dockerfile, request, parts.platform);
  }

  /** @throws DockerfileError, CommandError, and what bases and contexts throw */
  async solve(): Promise<BuildResult> {
    this.parts.images.trees.warm();
    const failed = new AbortController();
    const request: BuildRequest = { ...this.request, signal: AbortSignal.any([this.request.signal, failed.signal]) };
    try {
      for (const stage of this.plan.needed) {
        const running = new StageBuilder(this, request, stage).build();
        // The first to fail stops the others, and is the one that is told.
        running.catch((error: unknown) => failed.abort(error));
        this.#stages.set(stage, running);
      }
      const results = await Promise.allSettled(this.#stages.values());
      const { aborted, reason } = this.request.signal;
      // Whoever ended it may have said why.
      if (aborted) {
        throw reason instanceof LongshoreError ? reason : new LongshoreError('canceled', 'the build was cancelled', { cause: reason });
      }
      if (failed.signal.aborted) throw failed.signal.reason;
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      return await this.#stages.get(this.plan.target)!;
    } finally {
      for (const end of this.#holds) await end();
    }
  }

  stage(stage: Stage): Promise<BuildResult> {
    return this.#stages.get(stage)!;
  }

  /** An earlier stage by name or number. */
  find(before: Stage, name: string): Stage | undefined {
    return stageOf(this.request.dockerfile.stages.slice(0, before.index), name);
  }

  /** A unique id for a step of this build. */
  vertexId(...parts: readonly (string | number)[]): string {
    return digestOf([this.request.id, ...parts].join('\0'));
  }

  /** Keeps these from collection until the build has ended. */
  hold(...names: readonly string[]): void {
    this.#holds.push(this.parts.images.hold(names));
  }

  /** The image of a name, looked up once in a build, unpacked and kept. */
  async base(name: string, platformText: string | undefined): Promise<Image> {
    const platform: Platform = platformText === undefined ? this.request.platform : parsePlatform(platformText);
    const full = fullName(parseTagged(name));
    const key = `${full} ${platform.architecture}`;
    let found = this.#bases.get(key);
    if (!found) {
      const id = this.vertexId('metadata', key);
      found = this.request.progress.step(id, `[internal] load metadata for ${full}`, [], async (step) => {
        const image = await resolveBase(this.parts, this.request, name, platform, step);
        this.#holds.push(this.parts.images.lease(image.id));
        return image;
      });
      this.#bases.set(key, found);
    }
    return await found;
  }

  /** The main context's folder, brought here once. */
  context(): Promise<string> {
    return (this.#context ??= this.#contextPaths().then((paths) => this.request.context.root(paths, this.request.progress)));
  }

  /** Says a warning beside a step. */
  warn(text: string, line: number): void {
    this.request.progress.warn(this.vertexId('definition'), text, line);
  }

  /** What the needed stages take of the context; everything, where a variable decides. */
  async #contextPaths(): Promise<string[]> {
    const paths = new Set<string>();
    for (const stage of this.plan.needed) {
      for (const instruction of stage.instructions) {
        if (instruction.kind === 'RUN' && instruction.mounts.length > 0) return [];
        // A stage that builds on this one runs them, and they may take anything.
        if (instruction.kind === 'ONBUILD') return [];
        if (instruction.kind !== 'COPY' && instruction.kind !== 'ADD') continue;
        if (instruction.flags.from !== undefined) continue;
        for (const source of instruction.sources) {
          if (/[$\\"']/.test(source)) return [];
          if (!/^https?:/.test(source)) paths.add(source);
        }
      }
      const base = this.plan.bases.get(stage);
      // A base's triggers may take anything.
      if (typeof base !== 'object' || !('image' in base) || this.request.namedContexts.has(base.image.toLowerCase())) continue;
      if (((await this.base(base.image, this.plan.platforms.get(stage))).document.config.OnBuild ?? []).length > 0) return [];
    }
    return [...paths];
  }
}
