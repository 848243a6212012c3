import type { Instruction, Stage } from '../dockerfile/instructions.ts';
import type { Image, ImageConfig } from '../../images/images.ts';
import type { StepResult } from './cache.ts';
import type { Plan } from './plan.ts';
import type { StepProgress } from './progress.ts';
import type { BuildParts, BuildRequest, BuildResult } from './request.ts';

/** What a stage asks of the build that it is part of; the Solver gives it. */
export interface BuildContext {
  readonly parts: BuildParts;
  readonly plan: Plan;
  /** The result of a stage of the plan; begun once, waited for by all that take something from it. */
  stage(stage: Stage): Promise<BuildResult>;
  /** An earlier stage by name or number. */
  find(before: Stage, name: string): Stage | undefined;
  /** The image of a name, looked up once in a build, unpacked and kept. */
  base(name: string, platformText: string | undefined): Promise<Image>;
  /** The main context's folder, brought here once. */
  context(): Promise<string>;
  /** A unique id for a step of this build. */
  vertexId(...parts: readonly (string | number)[]): string;
  /** Keeps these from collection until the build has ended. */
  hold(...names: readonly string[]): void;
  /** Says a warning beside a step. */
  warn(text: string, line: number): void;
}

/** The file system that a `--from` names: by its chain of layers, or a folder of the client's. */
export type NamedFileSystem =
  | { readonly kind: 'chain'; readonly chainId: string | undefined; readonly fsKey: string }
  | { readonly kind: 'folder'; readonly root: string };

/** What an instruction sees of the stage that runs it; the StageBuilder gives it. */
export interface StageContext {
  readonly solver: BuildContext;
  readonly request: BuildRequest;
  readonly stage: Stage;
  readonly config: ImageConfig;
  readonly chainId: string | undefined;
  /** What the file system is, for cache keys. */
  readonly fsKey: string;
  /** ARGs as RUN's environment has them, and as history shows them. */
  readonly args: ReadonlyMap<string, string>;
  /** Proxy settings that came with the build. */
  readonly proxies: readonly string[];
  readonly ignoreCache: boolean;
  /** Expands the variables of a word. */
  word(text: string): string;
  lookup(name: string): string | undefined;
  fileSystem(name: string): Promise<NamedFileSystem>;
  /** A step that may change the file system: shown, looked up in the cache under `key`, and noted in the history. */
  step(instruction: Instruction, createdBy: string, key: string, work: (step: StepProgress) => Promise<StepResult>): Promise<void>;
}
