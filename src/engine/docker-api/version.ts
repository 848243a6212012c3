import { arch, release } from 'node:os';
import type { Deps } from './deps.ts';

/** The versions of the API that are spoken: 1.24 to 1.51. */
export const MIN_MINOR = 24;
export const MAX_MINOR = 51;

/** Go's name of this machine's architecture. */
function goArch(): string {
  return ({ x64: 'amd64', arm64: 'arm64' } as Record<string, string>)[arch()] ?? arch();
}

/** `GET /version`. */
export async function versionInfo(deps: Deps): Promise<Record<string, unknown>> {
  const runtime = await deps.runtime.probe().catch(() => undefined); // missing: `docker info` tells
  const api = { ApiVersion: `1.${MAX_MINOR}`, MinAPIVersion: `1.${MIN_MINOR}` };
  const common = {
    Arch: goArch(),
    BuildTime: '',
    Experimental: 'false',
    GitCommit: '',
    GoVersion: `node ${process.version}`,
    KernelVersion: release(),
    Os: 'linux',
  };
  return {
    Platform: { Name: 'Longshore' },
    Components: [
      { Name: 'Engine', Version: deps.version, Details: { ...common, ...api } },
      ...(runtime === undefined ? [] : [{ Name: runtime.name, Version: runtime.version, Details: { GitCommit: runtime.commit } }]),
    ],
    Version: deps.version,
    ...api,
    GitCommit: '',
    GoVersion: common.GoVersion,
    Os: 'linux',
    Arch: goArch(),
    KernelVersion: release(),
    BuildTime: '',
  };
}
