import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isCode, LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { UndoStack } from '../../../lib/undo.ts';
import type { ContainerSpec, MountSpec } from '../../containers/containers.ts';
import type { RunMount } from '../dockerfile/instructions.ts';
import { CommandError } from './errors.ts';
import type { StepProgress } from './progress.ts';
import type { BuildParts, BuildRequest } from './request.ts';
import { serveAgent } from './ssh-agent.ts';
import type { Scratch } from './scratch.ts';
import { hexId } from '../../../lib/random.ts';

export interface RunCommand {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly network: 'default' | 'none' | 'host';
  readonly mounts: readonly ResolvedRunMount[];
  /** Scripts of heredocs, by their path in the container. */
  readonly scripts: readonly { readonly path: string; readonly content: string }[];
  /** As users know it, for the error. */
  readonly shown: string;
}

/** A mount with what it takes from elsewhere brought here. */
export interface ResolvedRunMount {
  readonly mount: RunMount;
  readonly target: string;
  /** For binds and the first content of caches: a folder on this machine, and what is taken of it. */
  readonly source?: { readonly root: string; readonly path: string };
}

/** Where a runtime mounts something in every container. */
const STUBS = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/proc', '/sys', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys/fs/cgroup'];

/** Runs a command in the mounted layer, to its end. @returns places of mounts. @throws CommandError for an exit code other than 0 */
export async function runCommand(
  parts: BuildParts,
  request: BuildRequest,
  scratch: Scratch,
  command: RunCommand,
  step: StepProgress,
): Promise<{ readonly stubs: readonly string[] }> {
  const { containers } = parts;
  const { env, mounts } = await prepareMounts(parts, request, scratch.undo, command);
  const spec: ContainerSpec = {
    owner: 'build',
    name: `build-${hexId(parts.random, 6)}`,
    image: { name: '', id: '' },
    rootfs: scratch.root,
    process: { args: command.args, env: [...command.env, ...env], cwd: command.cwd, user: command.user, terminal: false },
    labels: {},
    hostname: 'buildkitsandbox',
    mounts,
    network: networkOf(parts, request, command.network),
    limits: request.memoryBytes > 0 ? { memoryBytes: request.memoryBytes } : {},
    security: { privileged: false, readOnlyRoot: false, capAdd: [], capDrop: [], noNewPrivileges: false, seccomp: 'default' },
    restart: { name: 'no' },
    autoRemove: true,
    openStdin: false,
    stdinOnce: false,
    logging: 'none',
    ...(request.extraHosts.length > 0 ? { extraHosts: request.extraHosts } : {}),
    ...(request.shmBytes > 0 ? { shmBytes: request.shmBytes } : {}),
  };
  const container = await containers.create(spec);
  let ended = false;
  scratch.undo.push(async () => {
    if (ended) return;
    await containers.remove(container.id, { force: true }).catch((error: unknown) => {
      // One that did not start is gone by itself.
      if (!isCode(error, 'not-found')) throw error;
    });
  });
  const streams = await containers.attach(container.id);
  streams.onOutput((stream, data) => step.log(stream, data));
  const removed = containers.wait(container.id, 'removed', request.signal);
  // A failed start is told by the start.
  removed.catch(() => {});
  await containers.start(container.id);
  const status = await removed;
  ended = true;
  await streams.closed;
  if (status.code !== 0) throw new CommandError(command.shown, status.code);
  return { stubs: [...STUBS, ...mounts.map((mount) => mount.target)] };
}

function networkOf(parts: BuildParts, request: BuildRequest, wanted: RunCommand['network']): ContainerSpec['network'] {
  const mode = wanted === 'default' ? request.networkMode : wanted;
  if (mode === 'none' || mode === 'host') return { mode };
  return { mode: 'networks', endpoints: [{ networkId: parts.network }], ports: [] };
}

async function prepareMounts(
  parts: BuildParts,
  request: BuildRequest,
  undo: UndoStack,
  command: RunCommand,
): Promise<{ readonly mounts: MountSpec[]; readonly env: string[] }> {
  const mounts: MountSpec[] = [];
  const env: string[] = [];
  let secrets: string | undefined;
  const volatile = async (): Promise<string> => {
    if (secrets !== undefined) return secrets;
    await mkdir(parts.volatileFolder, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(join(parts.volatileFolder, 'build-'));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    return (secrets = folder);
  };
  const secretFile = async (name: string, content: Buffer | string, mode: number, uid: number, gid: number): Promise<string> => {
    const path = join(await volatile(), name);
    await writeFile(path, content, { mode: 0o600 });
    await chown(path, uid, gid);
    await chmod(path, mode);
    return path;
  };
  for (const [n, script] of command.scripts.entries()) {
    mounts.push({ type: 'bind', source: await secretFile(`script-${n}`, script.content, 0o755, 0, 0), target: script.path, readOnly: true });
  }
  for (const [n, { mount, source, target }] of command.mounts.entries()) {
    switch (mount.type) {
      case 'tmpfs':
        mounts.push({ type: 'tmpfs', target, ...(mount.sizeBytes === undefined ? {} : { sizeBytes: mount.sizeBytes }) });
        break;
      case 'bind':
        mounts.push({ type: 'bind', source: await real(parts, source!), target, readOnly: mount.readOnly });
        break;
      case 'cache': {
        const owner = { uid: mount.uid ?? 0, gid: mount.gid ?? 0, mode: mount.mode ?? 0o755 };
        const { path, release } = await parts.cacheMounts.take(mount.id ?? target, mount.sharing, owner, request.signal);
        undo.push(release);
        mounts.push({ type: 'bind', source: path, target, readOnly: mount.readOnly });
        break;
      }
      case 'secret': {
        const id = mount.id ?? mount.source ?? target.split('/').at(-1)!;
        const content = await request.secret(id);
        if (!content) {
          if (mount.required) {
            throw new LongshoreError('not-found', `secret ${id}: not found`, {
              object: `secret ${id}`,
              remedy: `Give it with --secret id=${id},src=FILE.`,
            });
          }
          break;
        }
        if (mount.env !== undefined) env.push(`${mount.env}=${content.toString('utf8')}`);
        if (mount.env === undefined || mount.target !== undefined) {
          mounts.push({
            type: 'bind',
            source: await secretFile(`secret-${n}`, content, mount.mode ?? 0o400, mount.uid ?? 0, mount.gid ?? 0),
            target,
            readOnly: true,
          });
        }
        break;
      }
      case 'ssh': {
        const id = mount.id ?? 'default';
        const agent = await request.sshAgent(id);
        if (!agent) {
          if (mount.required) {
            throw new LongshoreError('not-found', `SSH agent ${id}: not found`, {
              object: `ssh ${id}`,
              remedy: `Give it with --ssh ${id}.`,
            });
          }
          break;
        }
        const path = join(await volatile(), `ssh-${n}`);
        undo.push(await serveAgent(path, { uid: mount.uid ?? 0, gid: mount.gid ?? 0, mode: mount.mode ?? 0o600 }, agent, parts.logger));
        mounts.push({ type: 'bind', source: path, target, readOnly: false });
        if (!env.some((entry) => entry.startsWith('SSH_AUTH_SOCK='))) env.push(`SSH_AUTH_SOCK=${target}`);
        break;
      }
    }
  }
  return { mounts, env };
}

/** The real path of a source, resolved inside of its root. */
async function real(parts: BuildParts, source: { readonly root: string; readonly path: string }): Promise<string> {
  try {
    const [found] = await parts.images.trees.resolve(source.root, [source.path]);
    if (found) return found.path;
  } catch (cause) {
    throw new LongshoreError('invalid', `can't mount ${source.path}: ${messageOf(cause)}`, { cause });
  }
  throw new LongshoreError('not-found', `"${source.path}": not found`, { object: source.path });
}
