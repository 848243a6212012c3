import { LongshoreError } from '../../../lib/errors.ts';
import { heredocsIn } from '../dockerfile/lines.ts';
import type { Instruction } from '../dockerfile/instructions.ts';
import { parseMount } from '../dockerfile/mounts.ts';
import { keyOf } from './cache.ts';
import { resolvePath, shellOf } from './config.ts';
import { runCommand } from './run-step.ts';
import type { ResolvedRunMount, RunCommand } from './run-step.ts';
import { inScratch, withChain } from './scratch.ts';
import type { StageContext } from './stage-context.ts';

type Run = Extract<Instruction, { kind: 'RUN' }>;

/** Lets so many commands run at a time in all builds together. */
const WIDTH = 16;
let free = WIDTH;
const waiting: (() => void)[] = [];

/** RUN: a command in a container over the file system as it is. */
export async function runInstruction(builder: StageContext, instruction: Run): Promise<void> {
  const { args, scripts, shown } = commandOf(builder, instruction);
  const { config } = builder;
  const variables = [...builder.args].map(([name, value]) => `${name}=${value}`);
  const env = [...(config.Env ?? []), ...variables];
  const cwd = config.WorkingDir || '/';
  const user = config.User ?? '';
  const mounts = instruction.mounts.map((text) => parseMount(builder.word(text)));
  const sources = await Promise.all(mounts.map((mount) => mountKey(builder, mount)));
  const key = keyOf(
    'run',
    args,
    scripts,
    env,
    cwd,
    user,
    instruction.network === 'default' ? builder.request.networkMode : instruction.network,
    mounts,
    sources,
    builder.request.extraHosts,
  );
  const createdBy = `RUN ${variables.length > 0 ? `|${variables.length} ${variables.join(' ')} ` : ''}${args.join(' ')} # buildkit`;
  await builder.step(instruction, createdBy, key, (step) =>
    slot(() =>
      withSources(builder, mounts, 0, [], (resolved) =>
        inScratch(builder.solver.parts, builder.chainId, builder.request.signal, (scratch) => {
          const command: RunCommand = { args, env: [...env, ...builder.proxies], cwd, user, network: instruction.network, mounts: resolved, scripts, shown };
          return runCommand(builder.solver.parts, builder.request, scratch, command, step);
        }),
      ),
    ),
  );
}

/** The command's words; heredocs become the script, its input, or a file of its own. */
function commandOf(
  builder: StageContext,
  { command, heredocs }: Run,
): { args: readonly string[]; scripts: { path: string; content: string }[]; shown: string } {
  if (command.form === 'exec') return { args: command.args, scripts: [], shown: command.args.join(' ') };
  const shell = shellOf(builder.config);
  const [only] = heredocs;
  if (only && heredocs.length === 1 && heredocsIn(command.line)[0]?.word === command.line.trim()) {
    if (only.content.startsWith('#!')) {
      const path = `/dev/pipes/${only.name}`;
      return { args: [path], scripts: [{ path, content: only.content }], shown: path };
    }
    return { args: [...shell, only.content], scripts: [], shown: [...shell, only.content].join(' ') };
  }
  const line = [command.line, ...heredocs.map(({ name, content }) => `${content}${name}`)].join('\n');
  return { args: [...shell, line], scripts: [], shown: [...shell, line].join(' ') };
}

type Mounts = ReturnType<typeof parseMount>;

/** What of a mount decides the result: a stage's or image's file system. A folder of the context counts by its content. */
async function mountKey(builder: StageContext, mount: Mounts): Promise<string> {
  if (mount.type !== 'bind') return '';
  if (mount.from === undefined) {
    const root = await builder.solver.context();
    return await builder.solver.parts.images.trees.digest({ root, sources: [mount.source ?? '/'] }, builder.request.signal);
  }
  const from = await builder.fileSystem(mount.from);
  return from.kind === 'chain'
    ? from.fsKey
    : await builder.solver.parts.images.trees.digest({ root: from.root, sources: [mount.source ?? '/'] }, builder.request.signal);
}

/** Brings the mounts' sources here, one within the other, for as long as `work` takes. */
async function withSources<T>(
  builder: StageContext,
  mounts: readonly Mounts[],
  at: number,
  resolved: readonly ResolvedRunMount[],
  work: (mounts: readonly ResolvedRunMount[]) => Promise<T>,
): Promise<T> {
  const mount = mounts[at];
  if (!mount) return await work(resolved);
  const number = mounts.slice(0, at).filter(({ type }) => type === 'ssh').length;
  const name =
    mount.target ??
    (mount.type === 'ssh'
      ? `/run/buildkit/ssh_agent.${number}`
      : mount.type === 'secret'
        ? `/run/secrets/${mount.id ?? mount.source ?? ''}`
        : '');
  const target = resolvePath(builder.config, name).replace(/(.)\/$/, '$1');
  const next = (source?: ResolvedRunMount['source']): Promise<T> =>
    withSources(builder, mounts, at + 1, [...resolved, { mount, target, ...(source ? { source } : {}) }], work);
  if (mount.type !== 'bind') return await next();
  const path = mount.source ?? '/';
  if (!mount.readOnly) {
    throw new LongshoreError('not-implemented', 'RUN --mount=type=bind,rw is not supported', {
      remedy: 'Copy the files with COPY, or use a cache mount.',
    });
  }
  if (mount.from === undefined) return await next({ root: await builder.solver.context(), path });
  const from = await builder.fileSystem(mount.from);
  if (from.kind === 'folder') return await next({ root: from.root, path });
  return await withChain(builder.solver.parts, from.chainId, (root) => next({ root, path }));
}

async function slot<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else free++;
  }
}
