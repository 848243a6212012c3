import { LongshoreError } from '../../../lib/errors.ts';
import { DockerfileError } from '../dockerfile/error.ts';
import { expandWord, expandWords, WordError } from '../dockerfile/expand.ts';
import type { Instruction, Stage } from '../dockerfile/instructions.ts';
import { parseTrigger } from '../dockerfile/parse.ts';
import { chainIds } from '../../images/digest.ts';
import type { Descriptor, HistoryEntry, Image, ImageConfig, ImageDocument } from '../../images/images.ts';
import { keyOf } from './cache.ts';
import type { StepResult } from './cache.ts';
import { changeConfig, DEFAULT_PATH, environment, resolvePath, withEnvironment } from './config.ts';
import { placeError } from './errors.ts';
import type { StepProgress } from './progress.ts';
import type { BuildRequest, BuildResult } from './request.ts';
import { inScratch } from './scratch.ts';
import type { BuildContext, NamedFileSystem, StageContext } from './stage-context.ts';
import { copyInstruction } from './stage-copy.ts';
import { runInstruction } from './stage-run.ts';
import { resolveUser } from '../../containers/users.ts';

const COMMENT = 'buildkit.dockerfile.v0';
/** Taken from the client's environment without an ARG, and without a say in the cache. */
const PROXY_ARGS = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'FTP_PROXY', 'ftp_proxy', 'NO_PROXY', 'no_proxy', 'ALL_PROXY', 'all_proxy'];

/** Builds one stage, instruction by instruction. */
export class StageBuilder implements StageContext {
  readonly solver: BuildContext;
  readonly request: BuildRequest;
  readonly stage: Stage;
  config: ImageConfig = { Env: [`PATH=${DEFAULT_PATH}`] };
  chainId: string | undefined;
  /** What the file system is, for cache keys. */
  fsKey = keyOf('scratch');
  readonly #layers: Descriptor[] = [];
  readonly #diffIds: string[] = [];
  readonly #history: HistoryEntry[] = [];
  /** ARGs that this stage has declared, with a value. */
  readonly #args = new Map<string, string>();
  #base: Partial<ImageDocument> = {};
  #author: string | undefined;
  #created: string | undefined;
  #cmdSet = false;
  #step = 0;
  #total = 0;
  #last: string | undefined;

  constructor(solver: BuildContext, request: BuildRequest, stage: Stage) {
    this.solver = solver;
    this.request = request;
    this.stage = stage;
  }

  async build(): Promise<BuildResult> {
    const base = this.solver.plan.bases.get(this.stage)!;
    this.#total = this.stage.instructions.filter((instruction) => isStep(instruction)).length + (typeof base === 'object' && 'image' in base ? 1 : 0);
    let triggers: readonly string[] = [];
    this.request.progress.instruction(this.stage.text);
    try {
      if (base === 'scratch') this.#base = { architecture: this.request.platform.architecture, os: this.request.platform.os };
      else if ('image' in base) triggers = await this.#fromImage(base.image);
      else {
        this.#fromStage(await this.solver.stage(base));
        triggers = this.#takeTriggers();
      }
    } catch (error) {
      throw placeError(error, this.stage.line, this.stage.endLine);
    }
    const inherited = triggers.map(parseTrigger);
    this.#total += inherited.filter(isStep).length;
    for (const instruction of [...inherited, ...this.stage.instructions]) {
      this.request.signal.throwIfAborted();
      this.request.progress.instruction(instruction.text);
      try {
        await this.#dispatch(instruction);
      } catch (error) {
        throw placeError(
          error instanceof WordError ? new DockerfileError(error.message, instruction.line, instruction.endLine) : error,
          instruction.line,
          instruction.endLine,
        );
      }
    }
    return { document: this.#document(), layers: this.#layers, chainId: this.chainId, fsKey: this.fsKey };
  }

  /** Expands the variables of a word. */
  word(text: string): string {
    return expandWord(text, (name) => this.lookup(name), this.request.dockerfile.escape);
  }

  lookup(name: string): string | undefined {
    return environment(this.config).get(name) ?? this.#args.get(name);
  }

  /** What a `--from` means: an earlier stage, a named context, or an image. */
  async fileSystem(name: string): Promise<NamedFileSystem> {
    const context = this.request.namedContexts.get(name.toLowerCase());
    if (context?.kind === 'unsupported') {
      throw new LongshoreError('not-implemented', `the build context ${name} (${context.address}) is of a kind that is not supported`, {
        object: name,
        remedy: 'Give a local folder or docker-image://….',
      });
    }
    if (context?.kind === 'folder') return { kind: 'folder', root: await context.source.root([], this.request.progress) };
    const stage = context ? undefined : this.solver.find(this.stage, name);
    if (stage) {
      const { chainId, fsKey } = await this.solver.stage(stage);
      return { kind: 'chain', chainId, fsKey };
    }
    const image = await this.solver.base(context ? context.reference : name, undefined);
    const chainId =
      image.document.rootfs.diff_ids.length > 0
        ? await this.solver.parts.images.snapshots.unpack(image, undefined, this.request.signal)
        : undefined;
    return { kind: 'chain', chainId, fsKey: keyOf('image', chainId ?? '') };
  }

  /** ARGs as RUN's environment has them, and as history shows them. */
  get args(): ReadonlyMap<string, string> {
    const env = environment(this.config);
    return new Map([...this.#args].filter(([name]) => !env.has(name)));
  }

  /** Proxy settings that came with the build. */
  get proxies(): string[] {
    return PROXY_ARGS.flatMap((name) =>
      this.request.buildArgs[name] === undefined || this.#args.has(name) ? [] : [`${name}=${this.request.buildArgs[name]}`],
    );
  }

  get ignoreCache(): boolean {
    const { noCache } = this.request;
    return typeof noCache === 'boolean' ? noCache : noCache.includes(this.stage.name ?? '') || noCache.includes(String(this.stage.index));
  }

  /**
   * A step that may change the file system: shown, looked up in the cache, and noted in the history.
   * @param key what decides its result, beside the file system that it begins with
   */
  async step(instruction: Instruction, createdBy: string, key: string, work: (step: StepProgress) => Promise<StepResult>): Promise<void> {
    await this.#show(instruction.text, async (step) => {
      const full = keyOf('step', this.fsKey, key);
      const result = await this.solver.parts.cache.run(
        full,
        `${this.stage.name === undefined ? '' : `${this.stage.name}: `}${instruction.text.slice(0, 200)}`,
        () => work(step),
        { ignore: this.ignoreCache, signal: this.request.signal, onCached: () => step.cached() },
      );
      this.apply(result, full, createdBy);
    });
  }

  /** Runs under the step's name. */
  async #show(text: string, work: (step: StepProgress) => Promise<void>): Promise<void> {
    const number = ++this.#step;
    const name = this.stage.name ?? (this.request.dockerfile.stages.length > 1 ? `stage-${this.stage.index}` : undefined);
    const id = this.solver.vertexId('step', this.stage.index, number);
    const inputs = this.#last === undefined ? [] : [this.#last];
    this.#last = id;
    await this.request.progress.step(
      id,
      `[${name === undefined ? '' : `${name} `}${String(number).padStart(String(this.#total).length)}/${this.#total}] ${text.replaceAll(/\s+/g, ' ')}`,
      inputs,
      work,
    );
  }

  apply(result: StepResult, fsKey: string, createdBy: string): void {
    this.chainId = result.chainId;
    this.fsKey = fsKey;
    this.#created = new Date(result.createdMs).toISOString();
    if (result.chainId !== undefined) this.solver.hold(result.chainId, ...(result.layer ? [result.layer.descriptor.digest] : []));
    if (result.layer) {
      this.#layers.push(result.layer.descriptor);
      this.#diffIds.push(result.layer.diffId);
    }
    this.#note(createdBy, result.layer === undefined);
  }

  async #fromImage(name: string): Promise<readonly string[]> {
    const context = this.request.namedContexts.get(name.toLowerCase());
    if (context && context.kind !== 'image') {
      throw new LongshoreError('not-implemented', `FROM ${name}: the build context ${name} is not an image`, {
        remedy: `Use it with COPY --from=${name}, or give it as docker-image://….`,
      });
    }
    const image = await this.solver.base(context ? context.reference : name, this.solver.plan.platforms.get(this.stage));
    await this.#show(`FROM ${image.references[0] ?? name}`, async (step) => {
      if (image.document.rootfs.diff_ids.length > 0) {
        this.chainId = await this.solver.parts.images.snapshots.unpack(image, undefined, this.request.signal);
      }
      step.cached();
    });
    this.#from(image);
    return this.#takeTriggers();
  }

  /** The triggers that the base holds for whoever builds on it: for this stage, and no further. */
  #takeTriggers(): readonly string[] {
    const { OnBuild = [], ...config } = this.config;
    this.config = config;
    return OnBuild ?? [];
  }

  #from(image: Pick<Image, 'document' | 'layers'>): void {
    const { config, history, rootfs, ...rest } = image.document;
    this.#base = rest;
    this.#author = image.document.author;
    this.#created = image.document.created;
    this.config = environment(config).has('PATH') ? config : withEnvironment(config, [['PATH', DEFAULT_PATH]]);
    this.fsKey = keyOf('image', chainIds(rootfs.diff_ids).at(-1) ?? '');
    this.#layers.push(...image.layers);
    this.#diffIds.push(...rootfs.diff_ids);
    this.#history.push(...(history ?? []));
  }

  #fromStage(result: BuildResult): void {
    this.#from(result);
    this.chainId = result.chainId;
    this.fsKey = result.fsKey;
  }

  async #dispatch(instruction: Instruction): Promise<void> {
    switch (instruction.kind) {
      case 'RUN':
        return await runInstruction(this, instruction);
      case 'ADD':
      case 'COPY':
        return await copyInstruction(this, instruction);
      case 'WORKDIR':
        return await this.#workdir(instruction, this.word(instruction.value));
      case 'ARG':
        for (const { name, value } of instruction.names) this.#declare(name, value);
        this.#note(`ARG ${instruction.names.map(({ name, value }) => (value === undefined ? name : `${name}=${this.#args.get(name) ?? ''}`)).join(' ')}`, true);
        return undefined;
      default: {
        const escape = this.request.dockerfile.escape;
        const change = changeConfig(
          this.config,
          instruction,
          (text) => this.word(text),
          (text) => expandWords(text, (name) => this.lookup(name), escape),
          this.#cmdSet,
        );
        if (!change) throw new Error(`no handler for ${instruction.kind}`);
        this.config = change.config;
        if (instruction.kind === 'CMD') this.#cmdSet = true;
        if (change.author !== undefined) this.#author = change.author;
        this.#note(change.history, true);
        return undefined;
      }
    }
  }

  #declare(rawName: string, value: string | undefined): void {
    const name = this.word(rawName);
    const given = this.request.buildArgs[name] ?? (value === undefined ? this.solver.plan.globals.get(name) : this.word(value));
    if (given !== undefined) this.#args.set(name, given);
  }

  async #workdir(instruction: Instruction, path: string): Promise<void> {
    const absolute = resolvePath(this.config, path).replace(/(.)\/+$/, '$1');
    this.config = { ...this.config, WorkingDir: absolute };
    if (absolute === '/') {
      this.#step++;
      this.#note(`WORKDIR ${absolute}`, true);
      return;
    }
    const user = this.config.User ?? '';
    await this.step(instruction, `WORKDIR ${absolute}`, keyOf('workdir', absolute, user), () =>
      inScratch(this.solver.parts, this.chainId, this.request.signal, async ({ root }) => {
        const { uid, gid } = user === '' ? { uid: 0, gid: 0 } : await resolveUser(root, user);
        await this.solver.parts.images.trees.makeFolder(root, absolute, { uid, gid });
      }),
    );
  }

  #note(createdBy: string, empty: boolean): void {
    this.#history.push({
      ...(this.#created === undefined ? {} : { created: this.#created }),
      created_by: createdBy,
      ...(this.#author === undefined ? {} : { author: this.#author }),
      comment: COMMENT,
      ...(empty ? { empty_layer: true } : {}),
    });
  }

  #document(): ImageDocument {
    const { architecture = this.request.platform.architecture, os = 'linux', variant } = this.#base;
    const last = this.stage === this.solver.plan.target;
    const labels = last && Object.keys(this.request.labels).length > 0 ? sorted({ ...this.config.Labels, ...this.request.labels }) : this.config.Labels;
    return {
      // The same build gives the same image: its time is that of its youngest layer.
      ...(this.#created === undefined ? {} : { created: this.#created }),
      ...(this.#author === undefined ? {} : { author: this.#author }),
      architecture,
      os,
      ...(variant === undefined ? {} : { variant }),
      config: { ...this.config, ...(labels === undefined ? {} : { Labels: labels }) },
      rootfs: { type: 'layers', diff_ids: this.#diffIds },
      history: this.#history,
    };
  }
}

/** Clients name labels in any order (compose, in another each time); the image is the same. */
function sorted(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isStep(instruction: Instruction): boolean {
  return instruction.kind === 'RUN' || instruction.kind === 'COPY' || instruction.kind === 'ADD' || instruction.kind === 'WORKDIR';
}
