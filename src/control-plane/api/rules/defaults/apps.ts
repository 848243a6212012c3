import type { Defaulter, Draft } from './walker.ts';

/** Defaults of apps/v1, by type. */
export const APPS_DEFAULTS: Readonly<Record<string, Defaulter>> = {
  'apps.v1.DeploymentSpec': (spec) => {
    spec.replicas ??= 1;
    const strategy = (spec.strategy ??= {}) as Draft;
    strategy.type ??= 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') {
      const rolling = (strategy.rollingUpdate ??= {}) as Draft;
      rolling.maxUnavailable ??= '25%';
      rolling.maxSurge ??= '25%';
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
  },
  'apps.v1.ReplicaSetSpec': (spec) => { spec.replicas ??= 1; },
  'apps.v1.DaemonSetSpec': (spec) => {
    const strategy = (spec.updateStrategy ??= {}) as Draft;
    strategy.type ??= 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') {
      const rolling = (strategy.rollingUpdate ??= {}) as Draft;
      rolling.maxUnavailable ??= 1;
      rolling.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= 10;
  },
  'apps.v1.StatefulSetSpec': (spec) => {
    spec.podManagementPolicy ??= 'OrderedReady';
    const strategy = (spec.updateStrategy ??= {}) as Draft;
    if (strategy.type === undefined) {
      strategy.type = 'RollingUpdate';
      strategy.rollingUpdate ??= {};
    }
    if (strategy.type === 'RollingUpdate' && strategy.rollingUpdate !== undefined) {
      const rolling = strategy.rollingUpdate as Draft;
      rolling.partition ??= 0;
      // Off unless a server is told otherwise, so never kept.
      delete rolling.maxUnavailable;
    }
    for (const claim of (spec.volumeClaimTemplates as Draft[] | undefined) ?? []) {
      claim.apiVersion = 'v1';
      claim.kind = 'PersistentVolumeClaim';
    }
    const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {}) as Draft;
    retention.whenDeleted ??= 'Retain';
    retention.whenScaled ??= 'Retain';
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= 10;
  },
};
