/** The release of Kubernetes whose API is served. */
export const KUBERNETES_VERSION = '1.36.3';

/** GET /version: clients compare major and minor with their own. */
export function versionInfo(): unknown {
  const [major, minor] = KUBERNETES_VERSION.split('.');
  return {
    major,
    minor,
    emulationMajor: major,
    emulationMinor: minor,
    minCompatibilityMajor: major,
    minCompatibilityMinor: String(Number(minor) - 1),
    gitVersion: `v${KUBERNETES_VERSION}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node${process.version.slice(1)}`,
    compiler: 'node',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}
