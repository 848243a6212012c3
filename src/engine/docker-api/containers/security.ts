import { LongshoreError } from '../../../lib/errors.ts';
import type { SecuritySpec } from '../../containers/containers.ts';
import type { HostConfig } from './config.ts';

const TRUTHS: Readonly<Record<string, boolean>> = {
  1: true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  0: false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

/** What Privileged, the capabilities and `--security-opt` ask for. Labels are SELinux's, which no machine of ours has. @throws `invalid` */
export function securityOf(host: HostConfig, warnings: string[]): SecuritySpec {
  let noNewPrivileges = false;
  let writableCgroups = false;
  let seccomp = 'default';
  let unmasked = false;
  for (const option of host.SecurityOpt ?? []) {
    const [key, value] = split(option);
    if (value === undefined && !['no-new-privileges', 'writable-cgroups', 'disable'].includes(option)) {
      throw new LongshoreError('invalid', `invalid --security-opt 1: "${option}"`, { remedy: 'Write NAME=VALUE.' });
    }
    if (key === 'no-new-privileges') {
      noNewPrivileges = truth(option, value);
    } else if (key === 'writable-cgroups') {
      writableCgroups = truth(option, value);
    } else if (key === 'seccomp') {
      seccomp = value === 'builtin' ? 'default' : value!;
    } else if (key === 'systempaths' && value === 'unconfined') {
      unmasked = true;
    } else if (key === 'apparmor') {
      if (value === 'docker-default') {
        warnings.push('AppArmor profiles are not built: docker-default discarded.');
      } else if (value !== 'unconfined' && value !== '') {
        throw new LongshoreError('not-implemented', `AppArmor profiles (--security-opt apparmor=${value}) are not built`, {
          remedy: 'Leave it out.',
        });
      }
    } else if (key !== 'label' && key !== 'disable') {
      throw new LongshoreError('invalid', `invalid --security-opt 2: "${option}"`, {
        remedy: 'Use no-new-privileges, writable-cgroups, seccomp=… or systempaths=unconfined.',
      });
    }
  }
  return {
    privileged: host.Privileged ?? false,
    readOnlyRoot: host.ReadonlyRootfs ?? false,
    capAdd: host.CapAdd ?? [],
    capDrop: host.CapDrop ?? [],
    noNewPrivileges,
    seccomp,
    ...(writableCgroups ? { writableCgroups } : {}),
    ...(unmasked ? { maskedPaths: [], readonlyPaths: [] } : {}),
    ...(host.MaskedPaths ? { maskedPaths: host.MaskedPaths } : {}),
    ...(host.ReadonlyPaths ? { readonlyPaths: host.ReadonlyPaths } : {}),
  };
}

/** @throws `invalid` */
function truth(option: string, value: string | undefined): boolean {
  const said = value === undefined ? true : TRUTHS[value];
  if (said === undefined) throw new LongshoreError('invalid', `invalid --security-opt 2: "${option}"`, { remedy: 'Write true or false.' });
  return said;
}

function split(option: string): [string, string?] {
  const at = option.includes('=') ? option.indexOf('=') : option.indexOf(':');
  return at < 0 ? [option] : [option.slice(0, at), option.slice(at + 1)];
}
