import { test } from 'node:test';
import assert from 'node:assert/strict';
import { LongshoreError } from '../../lib/errors.ts';
import type { Container, Pod, Service } from '../../types/kubernetes/generated/core-v1.ts';
import { environmentOf, type EnvironmentSource } from './environment.ts';

const OBJECTS: Readonly<Record<string, object>> = {
  settings: { data: { level: 'info', 'has=sign': 'no' } },
  keys: { data: { token: Buffer.from('s3cret').toString('base64') } },
};
const db: Service = { metadata: { name: 'my-db' }, spec: { clusterIP: '10.43.0.9', ports: [{ port: 5432, name: 'sql' }] } };
const source: EnvironmentSource = {
  transport: {
    get: <T>(_resource: unknown, _namespace: unknown, name: string): Promise<T> => {
      const found = OBJECTS[name];
      return found ? Promise.resolve(found as T) : Promise.reject(new LongshoreError('not-found', `${name} not found`));
    },
  },
  services: (namespace) => (namespace === 'shop' ? [db] : []),
  allocatable: () => ({ milliCpu: 2000, memory: 2 ** 30 }),
  nodeAddress: '192.0.2.1',
};
const pod: Pod = {
  metadata: { name: 'p', namespace: 'shop', uid: 'u', labels: { app: 'web' } },
  spec: { nodeName: 'n', serviceAccountName: 'default', containers: [] },
};

async function environment(container: Partial<Container>): Promise<Readonly<Record<string, string>>> {
  const made = await environmentOf(source, pod, '10.42.0.7', { name: 'c', ...container });
  return Object.fromEntries(made.map(({ key, value }) => [key, value]));
}

const field = (
  name: string,
  fieldPath: string,
): { readonly name: string; readonly valueFrom: { readonly fieldRef: { readonly fieldPath: string } } } => ({
  name,
  valueFrom: { fieldRef: { fieldPath } },
});

test('fields of the pod, with the addresses that the API does not know yet', async () => {
  const made = await environment({
    env: [
      field('POD', 'metadata.name'),
      field('IP', 'status.podIP'),
      field('IPS', 'status.podIPs'),
      field('HOST', 'status.hostIP'),
      field('HOSTS', 'status.hostIPs'),
      field('APP', "metadata.labels['app']"),
      field('NODE', 'spec.nodeName'),
    ],
  });
  const { POD, IP, IPS, HOST, HOSTS, APP, NODE } = made;
  assert.deepEqual([POD, IP, IPS, HOST, HOSTS, APP, NODE], ['p', '10.42.0.7', '10.42.0.7', '192.0.2.1', '192.0.2.1', 'web', 'n']);
});

test('what comes later wins, and sees what came before', async () => {
  const made = await environment({
    envFrom: [{ prefix: 'S_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'keys' } }],
    env: [
      { name: 'A', value: '$(S_level)-$(MISSING)-$$(A)' },
      { name: 'token', value: 'mine' },
      { name: 'URL', value: 'sql://$(MY_DB_SERVICE_HOST):$(MY_DB_SERVICE_PORT_SQL)' },
    ],
  });
  assert.deepEqual([made.S_level, made.A, made.token, made.URL], ['info', 'info-$(MISSING)-$(A)', 'mine', 'sql://10.43.0.9:5432']);
  assert.equal(Object.keys(made).some((key) => key.includes('=')), false, 'a key that is no name of a variable is left out');
});

test('what is missing is named, unless it is optional', async () => {
  await assert.rejects(
    environment({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'keys', key: 'no' } } }] }),
    /couldn't find key no in Secret shop\/keys/,
  );
  await assert.rejects(environment({ envFrom: [{ configMapRef: { name: 'nope' } }] }), /nope not found/);
  const made = await environment({
    envFrom: [{ configMapRef: { name: 'nope', optional: true } }],
    env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'no', optional: true } } }],
  });
  assert.equal('A' in made, false);
});
