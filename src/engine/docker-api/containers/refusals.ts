import { LongshoreError } from '../../../lib/errors.ts';
import type { HostConfig } from './config.ts';

const OUR_LOGS = ['', 'json-file', 'local', 'none'];
const OTHER_LOGS = ['syslog', 'journald', 'gelf', 'fluentd', 'awslogs', 'splunk', 'etwlogs', 'gcplogs'];

/** What would change what the container may do or sees, and is not built: refused, so that nobody relies on it. */
const REFUSED: readonly (readonly [test: (host: HostConfig) => boolean, what: string])[] = [
  [(host) => (host.DeviceRequests?.length ?? 0) > 0, 'DeviceRequests (--gpus)'],
  [(host) => Object.keys(host.StorageOpt ?? {}).length > 0, 'StorageOpt (--storage-opt)'],
  [(host) => !!host.UsernsMode && host.UsernsMode !== 'host', 'UsernsMode (--userns)'],
  [(host) => !!host.VolumeDriver && host.VolumeDriver !== 'local', 'VolumeDriver (--volume-driver)'],
  [(host) => !!host.CpuRealtimePeriod, 'CpuRealtimePeriod (--cpu-rt-period)'],
  [(host) => !!host.CpuRealtimeRuntime, 'CpuRealtimeRuntime (--cpu-rt-runtime)'],
  [(host) => OTHER_LOGS.includes(host.LogConfig?.Type ?? ''), 'LogConfig of log drivers other than json-file, local and none (--log-driver)'],
];

/** What can't be had: because it is not built, or not on Linux. @throws `not-implemented`, `invalid`, naming the option */
export function refuseUnsupported(host: HostConfig): void {
  const log = host.LogConfig?.Type ?? '';
  if (!OUR_LOGS.includes(log) && !OTHER_LOGS.includes(log)) {
    throw new LongshoreError('invalid', `error looking up logging plugin ${log}: plugin "${log}" not found`);
  }
  for (const [test, what] of REFUSED) {
    if (test(host)) {
      throw new LongshoreError('not-implemented', `${what} is not built`, { remedy: 'Leave it out.' });
    }
  }
  if (host.Isolation && host.Isolation !== 'default') {
    throw new LongshoreError('invalid', `invalid isolation (${host.Isolation}): linux only supports 'default'`);
  }
  if (host.IOMaximumBandwidth) {
    throw new LongshoreError('invalid', 'invalid option: QoS maximum bandwidth configuration is not supported on linux');
  }
  if (host.IOMaximumIOps) throw new LongshoreError('invalid', 'invalid option: QoS maximum IOPs configuration is not supported on linux');
}
