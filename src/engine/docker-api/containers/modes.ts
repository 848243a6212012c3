import { isIP } from 'node:net';
import { LongshoreError } from '../../../lib/errors.ts';
import { ALL_CAPABILITIES } from '../../containers/capabilities.ts';
import { deviceRule } from '../../containers/devices.ts';
import { isLimit } from '../../containers/machine.ts';
import type { Deps } from '../deps.ts';
import type { Config, HostConfig } from './config.ts';

/** What sethostname(2) takes. */
const LONGEST_NAME_BYTES = 64;

/** containerd's name for runc. */
export const RUNC_SHIM = 'io.containerd.runc.v2';

/** What the kernel or the runtime would refuse at the start, told at once. @throws `invalid` */
export function checkModes(deps: Deps, config: Config, host: HostConfig): void {
  const modes: readonly (readonly [value: string | undefined, allowed: RegExp, what: string])[] = [
    [host.IpcMode, /^(none|private|shareable|host|container:.+)?$/, 'IPC'],
    [host.PidMode, /^(private|host|container:.+)?$/, 'PID'],
    [host.UTSMode, /^(host)?$/, 'UTS'],
    [host.CgroupnsMode, /^(private|host)?$/, 'cgroup namespace'],
  ];
  for (const [value, allowed, what] of modes) {
    if (!allowed.test(value ?? '')) {
      throw new LongshoreError('invalid', `invalid ${what} mode: ${value}`);
    }
  }
  if (host.UTSMode === 'host' && config.Hostname) throw new LongshoreError('invalid', 'conflicting options: hostname and the UTS mode');
  if (host.NetworkMode === 'host' && (host.Links?.length ?? 0) > 0) {
    throw new LongshoreError(
      'invalid',
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  }
  if ((host.ShmSize ?? 0) < 0) throw new LongshoreError('invalid', 'SHM size can not be less than 0');
  for (const [what, name = ''] of [
    ['hostname', config.Hostname],
    ['domainname', config.Domainname],
  ]) {
    if (Buffer.byteLength(name) > LONGEST_NAME_BYTES) {
      throw new LongshoreError('invalid', `${what} "${name}" is too long (maximum ${LONGEST_NAME_BYTES} bytes)`);
    }
  }
  const oom = host.OomScoreAdj ?? 0;
  if (oom < -1000 || oom > 1000) throw new LongshoreError('invalid', `Invalid value ${oom}, range for oom score adj is [-1000, 1000]`);
  if (Object.hasOwn(host.Annotations ?? {}, '')) {
    throw new LongshoreError('invalid', 'invalid Annotations: the empty string is not permitted as an annotation key');
  }
  for (const rule of host.DeviceCgroupRules ?? []) {
    if (deviceRule(rule) === undefined) {
      throw new LongshoreError('invalid', `invalid device cgroup rule format: '${rule}'`, {
        remedy: "Write type, numbers and access, as in 'c 1:3 rwm'.",
      });
    }
  }
  for (const line of host.ExtraHosts ?? []) checkExtraHost(line);
  checkCapabilities('CapAdd', host.CapAdd);
  checkCapabilities('CapDrop', host.CapDrop);
  if (host.Runtime && host.Runtime !== RUNC_SHIM && deps.runtime.names !== undefined && !deps.runtime.names.includes(host.Runtime)) {
    throw new LongshoreError('invalid', `unknown or invalid runtime name: ${host.Runtime}`);
  }
  for (const { Name: name = '' } of host.Ulimits ?? []) {
    if (!isLimit(name)) {
      throw new LongshoreError('invalid', `invalid ulimit type: ${name}`);
    }
  }
}

function checkCapabilities(field: string, names: readonly string[] | null | undefined): void {
  for (const name of names ?? []) {
    const full = `CAP_${name.toUpperCase().replace(/^CAP_/, '')}`;
    if (full !== 'CAP_ALL' && !ALL_CAPABILITIES.includes(full)) {
      throw new LongshoreError('invalid', `invalid ${field}: unknown capability: "${full}"`);
    }
  }
}

/** `name:address`, or `name:host-gateway`. @throws `invalid` */
function checkExtraHost(line: string): void {
  const [, name, address = ''] = /^([^:=]*)[:=](.*)$/.exec(line) ?? [];
  if (!name || address === '') throw new LongshoreError('invalid', `bad format for add-host: "${line}"`, { remedy: 'Write NAME:ADDRESS.' });
  if (address !== 'host-gateway' && isIP(address.replace(/^\[(.*)\]$/, '$1')) === 0) {
    throw new LongshoreError('invalid', `invalid IP address in add-host: "${address}"`);
  }
}
