import { posix } from 'node:path';
import type { ImageConfig } from '../../images/images.ts';
import type { Config, CreateBody } from './config.ts';

/** The container's configuration: what the client gave, completed by the image's. */
export function withImage(body: CreateBody, image: ImageConfig): Config {
  const { HostConfig: _host, NetworkingConfig: _networking, ...given } = body;
  let entrypoint = listOf(given.Entrypoint);
  let cmd = listOf(given.Cmd);
  if (entrypoint === undefined || entrypoint.length === 0) {
    if (cmd === undefined || cmd.length === 0) cmd = image.Cmd === null || image.Cmd === undefined ? undefined : [...image.Cmd];
    if (entrypoint === undefined) {
      entrypoint = image.Entrypoint === null || image.Entrypoint === undefined ? undefined : [...image.Entrypoint];
    }
  }
  // An empty word takes the image's entry point away.
  if (entrypoint?.length === 1 && entrypoint[0] === '') entrypoint = undefined;
  return {
    Hostname: given.Hostname ?? '',
    Domainname: given.Domainname ?? '',
    User: given.User || (image.User ?? ''),
    AttachStdin: given.AttachStdin ?? false,
    AttachStdout: given.AttachStdout ?? false,
    AttachStderr: given.AttachStderr ?? false,
    ...(hasKeys(given.ExposedPorts) || hasKeys(image.ExposedPorts) ? { ExposedPorts: { ...image.ExposedPorts, ...given.ExposedPorts } } : {}),
    Tty: given.Tty ?? false,
    OpenStdin: given.OpenStdin ?? false,
    StdinOnce: given.StdinOnce ?? false,
    Env:
      given.Env === undefined || given.Env === null
        ? image.Env === undefined || image.Env.length === 0
          ? null
          : [...image.Env]
        : environment(given.Env, image.Env ?? []),
    Cmd: cmd ?? null,
    ...healthcheck(given, image),
    Image: given.Image ?? '',
    Volumes: hasKeys(given.Volumes) || hasKeys(image.Volumes) ? { ...image.Volumes, ...given.Volumes } : null,
    WorkingDir: withoutDetours(given.WorkingDir || (image.WorkingDir ?? '')),
    Entrypoint: entrypoint ?? null,
    ...(given.NetworkDisabled === true ? { NetworkDisabled: true } : {}),
    ...(given.MacAddress ? { MacAddress: given.MacAddress } : {}),
    OnBuild: null,
    Labels: { ...image.Labels, ...given.Labels },
    ...(given.StopSignal || image.StopSignal ? { StopSignal: given.StopSignal || image.StopSignal! } : {}),
    ...(typeof given.StopTimeout === 'number' ? { StopTimeout: given.StopTimeout } : {}),
    ...(given.Shell || image.Shell ? { Shell: given.Shell ?? [...image.Shell!] } : {}),
  };
}

function listOf(value: string[] | string | null | undefined): string[] | undefined {
  if (value === null || value === undefined) return undefined;
  return typeof value === 'string' ? [value] : value;
}

function hasKeys(value: object | null | undefined): boolean {
  return value !== null && value !== undefined && Object.keys(value).length > 0;
}

function environment(given: readonly string[], image: readonly string[]): string[] {
  const names = new Set(given.map((entry) => entry.split('=', 1)[0]));
  return [...given, ...image.filter((entry) => !names.has(entry.split('=', 1)[0]))];
}

function healthcheck(given: Config, image: ImageConfig): Pick<Config, 'Healthcheck'> {
  const own = given.Healthcheck ?? undefined;
  const base = image.Healthcheck;
  if (own === undefined && base === undefined) return {};
  if (own?.Test !== undefined && own.Test !== null && own.Test.length > 0) return { Healthcheck: { ...own } };
  // Times alone change the image's check.
  return {
    Healthcheck: {
      ...(base?.Test === undefined ? {} : { Test: [...base.Test] }),
      Interval: own?.Interval || base?.Interval || 0,
      Timeout: own?.Timeout || base?.Timeout || 0,
      StartPeriod: own?.StartPeriod || base?.StartPeriod || 0,
      StartInterval: own?.StartInterval || base?.StartInterval || 0,
      Retries: own?.Retries || base?.Retries || 0,
    },
  };
}

/** Without a slash at the end, dots or doubled slashes; a relative one, which is refused later, as it is. */
function withoutDetours(folder: string): string {
  return folder.startsWith('/') ? posix.resolve(folder) : folder;
}
