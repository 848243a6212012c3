import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settle } from '../../../client/manual-clock.test-helper.ts';
import { persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../../client/resources.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  Pod,
} from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext } from '../context.ts';
import { Harness } from '../harness.test-helper.ts';
import type { ControllersOptions } from '../options.ts';
import { VolumeBinder } from './binder.ts';
import { EphemeralVolumeController } from './ephemeral.ts';
import { STANDARD_CLASS } from './local-path.ts';
import { createClaimProtection, createVolumeProtection } from './protection.ts';

const binder = (context: ControllerContext) => new VolumeBinder(context);
const volumes = (harness: Harness): PersistentVolume[] => harness.api.all<PersistentVolume>(persistentVolumes);
const claims = (harness: Harness): PersistentVolumeClaim[] => harness.api.all<PersistentVolumeClaim>(persistentVolumeClaims);
const claim = (harness: Harness, name: string): PersistentVolumeClaim => claims(harness).find(({ metadata }) => metadata!.name === name)!;

const addVolume = (harness: Harness, name: string, storage: string, spec: Partial<PersistentVolumeSpec> = {}) =>
  harness.api.create<PersistentVolume>(persistentVolumes, undefined, {
    metadata: { name },
    spec: {
      capacity: { storage },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: `/data/${name}` },
      ...spec,
    },
  });
const addClaim = (harness: Harness, name: string, storage: string, spec: Partial<PersistentVolumeClaimSpec> = {}) =>
  harness.api.create<PersistentVolumeClaim>(persistentVolumeClaims, 'default', {
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName: '', ...spec },
  });

async function started(options: ControllersOptions = {}): Promise<Harness> {
  const harness = new Harness({ options });
  await harness.start(binder);
  return harness;
}

test('a claim gets the smallest volume that suffices, and both say so', async () => {
  const harness = await started();
  await addVolume(harness, 'large', '10Gi');
  await addVolume(harness, 'fits', '2Gi');
  await addVolume(harness, 'small', '1Gi');
  await addVolume(harness, 'other-class', '2Gi', { storageClassName: 'fast' });
  await addVolume(harness, 'read-only', '2Gi', { accessModes: ['ReadOnlyMany'] });
  await settle(20);
  assert.ok(volumes(harness).every(({ status }) => status!.phase === 'Available'));
  const { metadata } = await addClaim(harness, 'data', '1500Mi');
  await settle(30);
  const bound = claim(harness, 'data');
  assert.equal(bound.spec!.volumeName, 'fits');
  assert.deepEqual(bound.status, { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: '2Gi' } });
  assert.deepEqual(bound.metadata!.annotations, { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' });
  const volume = volumes(harness).find((candidate) => candidate.metadata!.name === 'fits')!;
  assert.deepEqual(
    [volume.status!.phase, volume.spec!.claimRef!.uid, volume.metadata!.annotations],
    ['Bound', metadata!.uid, { 'pv.kubernetes.io/bound-by-controller': 'yes' }],
  );
  await addClaim(harness, 'huge', '100Gi');
  await settle(20);
  assert.deepEqual(claim(harness, 'huge').status, { phase: 'Pending' });
  assert.ok(
    harness.events.includes(
      'PersistentVolumeClaim/huge Normal FailedBinding no persistent volumes available for this claim and no storage class is set',
    ),
  );
  await addVolume(harness, 'huge-one', '200Gi');
  await settle(30);
  assert.equal(claim(harness, 'huge').spec!.volumeName, 'huge-one', 'it is looked for again when one appears');
  const calls = harness.api.calls.length;
  await harness.clock.advance(600_000);
  assert.equal(harness.api.calls.length, calls);
  await harness.stop();
});

test('two claims never get one volume; a retained volume is not given away again', async () => {
  const harness = await started();
  await addVolume(harness, 'only', '1Gi');
  await Promise.all([addClaim(harness, 'a', '1Gi'), addClaim(harness, 'b', '1Gi')]);
  await settle(40);
  assert.deepEqual(new Set(claims(harness).map(({ status }) => status!.phase)), new Set(['Bound', 'Pending']));
  const winner = claims(harness).find(({ status }) => status!.phase === 'Bound')!.metadata!.name!;
  await harness.api.delete(persistentVolumeClaims, 'default', winner);
  await settle(30);
  assert.equal(volumes(harness)[0]!.status!.phase, 'Released');
  assert.deepEqual(claims(harness).map(({ status }) => status!.phase), ['Pending']);
  await harness.stop();
});

test('a volume and a claim that name each other are bound; a claim whose volume is gone is lost', async () => {
  const harness = await started();
  await addVolume(harness, 'mine', '1Gi', { claimRef: { namespace: 'default', name: 'data' } });
  await settle(20);
  assert.equal(volumes(harness)[0]!.status!.phase, 'Available');
  await addClaim(harness, 'thief', '1Gi');
  await addClaim(harness, 'data', '1Gi', { volumeName: 'mine' });
  await settle(30);
  assert.equal(claim(harness, 'data').status!.phase, 'Bound');
  assert.equal(claim(harness, 'thief').status!.phase, 'Pending');
  await harness.api.delete(persistentVolumes, undefined, 'mine');
  await settle(20);
  assert.equal(claim(harness, 'data').status!.phase, 'Lost');
  assert.ok(harness.events.includes('PersistentVolumeClaim/data Warning ClaimLost Bound claim has lost its PersistentVolume. Data on the volume is lost!'));
  await harness.stop();
});

test('the standard class: by default, when the pod has a node, on that node, and gone with the claim', async () => {
  const removed: string[] = [];
  const harness = await started({ localPathRoot: '/srv/volumes', removeLocalPath: async (node, path) => void removed.push(`${node} ${path}`) });
  await harness.addNode('node-1');
  const { uid } = (
    await harness.api.create<PersistentVolumeClaim>(persistentVolumeClaims, 'default', {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
  ).metadata!;
  await settle(20);
  assert.equal(claim(harness, 'data').status!.phase, 'Pending');
  await harness.api.create(storageClasses, undefined, STANDARD_CLASS);
  await settle(30);
  assert.equal(claim(harness, 'data').spec!.storageClassName, 'standard', 'a class that came later serves as well');
  assert.ok(harness.events.includes('PersistentVolumeClaim/data Normal WaitForFirstConsumer waiting for first consumer to be created before binding'));
  assert.equal(volumes(harness).length, 0);
  harness.api.edit<PersistentVolumeClaim>(
    persistentVolumeClaims,
    'default',
    'data',
    (copy) => (copy.metadata!.annotations = { 'volume.kubernetes.io/selected-node': 'node-1' }),
  );
  await settle(40);
  const [volume] = volumes(harness);
  assert.equal(claim(harness, 'data').status!.phase, 'Bound');
  assert.equal(volume!.metadata!.name, `pvc-${uid}`);
  assert.equal(volume!.spec!.hostPath!.path, `/srv/volumes/pvc-${uid}_default_data`);
  assert.deepEqual(volume!.spec!.nodeAffinity!.required!.nodeSelectorTerms[0]!.matchExpressions, [
    { key: 'kubernetes.io/hostname', operator: 'In', values: ['node-1'] },
  ]);
  await harness.api.delete(persistentVolumeClaims, 'default', 'data');
  await settle(40);
  assert.deepEqual(volumes(harness), []);
  assert.deepEqual(removed, [`node-1 /srv/volumes/pvc-${uid}_default_data`]);
  await harness.stop();
});

test('data is never deleted where it was not made by us', async () => {
  const removed: string[] = [];
  const harness = await started({ localPathRoot: '/srv/volumes', removeLocalPath: async (_node, path) => void removed.push(path) });
  for (const [name, path] of [
    ['foreign', '/etc'],
    ['outside', '/srv/volumes/../../etc'],
    ['sneaky', '/srv/volumes/pvc-x/../../etc'],
  ] as const) {
    await addVolume(harness, name, '1Gi', {
      persistentVolumeReclaimPolicy: 'Delete',
      hostPath: { path },
      claimRef: { namespace: 'default', name: 'gone', uid: 'u' },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n'] }] }] },
      },
    });
    if (name !== 'foreign') {
      harness.api.edit<PersistentVolume>(
        persistentVolumes,
        undefined,
        name,
        (volume) => (volume.metadata!.annotations = { 'pv.kubernetes.io/provisioned-by': 'longshore.dev/local-path' }),
      );
    }
  }
  await settle(40);
  assert.deepEqual(removed, []);
  assert.ok(volumes(harness).every(({ status }) => status!.phase === 'Failed' && /Delete the data|not deleted/.test(status!.message!)));
  await harness.stop();
});

test('what is in use is not deleted before its use ends', async () => {
  const harness = new Harness();
  await harness.start(binder, createClaimProtection, createVolumeProtection);
  await addVolume(harness, 'v', '1Gi');
  await addClaim(harness, 'data', '1Gi');
  await harness.clock.advance(1000);
  await harness.api.create<Pod>(pods, 'default', {
    metadata: { name: 'user' },
    spec: { nodeName: 'n', containers: [], volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }] },
  });
  await settle(20);
  await harness.api.delete(persistentVolumeClaims, 'default', 'data');
  await harness.api.delete(persistentVolumes, undefined, 'v');
  await settle(30);
  assert.ok(claim(harness, 'data').metadata!.deletionTimestamp);
  assert.ok(volumes(harness)[0]!.metadata!.deletionTimestamp);
  await harness.api.delete(pods, 'default', 'user');
  await harness.clock.advance(1000);
  assert.deepEqual([claims(harness), volumes(harness)], [[], []]);
  await harness.stop();
});

test('ephemeral volumes get a claim that belongs to their pod', async () => {
  const harness = new Harness();
  await harness.start((context) => new EphemeralVolumeController(context));
  const spec: PersistentVolumeClaimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const pod = await harness.api.create<Pod>(pods, 'default', {
    metadata: { name: 'p' },
    spec: {
      containers: [],
      volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { metadata: { labels: { a: 'b' } }, spec } } }],
    },
  });
  await settle(20);
  const made = claim(harness, 'p-scratch');
  assert.deepEqual([made.metadata!.labels, made.spec, made.metadata!.ownerReferences![0]!.uid], [{ a: 'b' }, spec, pod.metadata!.uid]);
  await harness.stop();
});
