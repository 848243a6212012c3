import type { ImageConfig } from '../../images/images.ts';
import type { Config } from './config.ts';

const words = (value: readonly string[] | string | null | undefined): readonly string[] =>
  value === null || value === undefined ? [] : typeof value === 'string' ? [value] : value;
const nameOf = (variable: string): string => variable.split('=', 1)[0]!;
type Flags = Record<string, Record<string, never>>;

/** What an image committed from a container is to have: what the request gives, and of the container's own configuration what it leaves out. */
export function committedConfig(given: Config, own: Config): ImageConfig {
  const names = new Set((given.Env ?? []).map(nameOf));
  const env = [...(given.Env ?? []), ...(own.Env ?? []).filter((variable) => !names.has(nameOf(variable)))];
  const ports = { ...own.ExposedPorts, ...given.ExposedPorts } as Flags;
  const volumes = { ...own.Volumes, ...given.Volumes } as Flags;
  const labels = { ...own.Labels, ...given.Labels };
  // A program of its own takes none of the container's arguments.
  const entrypoint = words(given.Entrypoint).length > 0 ? words(given.Entrypoint) : words(own.Entrypoint);
  const cmd = words(given.Cmd).length > 0 || words(given.Entrypoint).length > 0 ? words(given.Cmd) : words(own.Cmd);
  const check = given.Healthcheck || own.Healthcheck ? healthOf(given.Healthcheck ?? {}, own.Healthcheck ?? {}) : undefined;
  const shell = given.Shell ?? own.Shell;
  const [user, folder, signal] = [given.User || own.User, given.WorkingDir || own.WorkingDir, given.StopSignal || own.StopSignal];
  return {
    ...(user ? { User: user } : {}),
    ...(Object.keys(ports).length > 0 ? { ExposedPorts: ports } : {}),
    Env: env,
    ...(entrypoint.length > 0 ? { Entrypoint: entrypoint } : {}),
    ...(cmd.length > 0 ? { Cmd: cmd } : {}),
    ...(Object.keys(volumes).length > 0 ? { Volumes: volumes } : {}),
    ...(folder ? { WorkingDir: folder } : {}),
    ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
    ...(signal ? { StopSignal: signal } : {}),
    ...(shell ? { Shell: shell } : {}),
    ...(given.OnBuild && given.OnBuild.length > 0 ? { OnBuild: given.OnBuild } : {}),
    ...(check === undefined ? {} : { Healthcheck: check }),
  };
}

type Check = NonNullable<Config['Healthcheck']>;

/** Field by field: what the one leaves at zero the other tells. */
function healthOf(given: Check, own: Check): NonNullable<ImageConfig['Healthcheck']> {
  const filled = Object.entries(given).filter(([, value]) => value !== null && value !== 0 && !(Array.isArray(value) && value.length === 0));
  const merged: Check = { ...own, ...Object.fromEntries(filled) };
  const { Test: test, ...rest } = merged;
  return { ...(test === null || test === undefined ? {} : { Test: test }), ...rest };
}
