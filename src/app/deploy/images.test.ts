import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment } from '../../types/kubernetes/generated/apps-v1.ts';
import type { Service } from '../../types/kubernetes/generated/core-v1.ts';
import { noteImages, objectsFor, type BuiltImage } from './images.ts';

const built = (name: string, id: string, ports: readonly string[] = []): BuiltImage => ({ name, id: `sha256:${id.repeat(64)}`, ports });

test('templates note the images that were built for them, and nothing else is changed', () => {
  const deployment = (image: string): Deployment => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'a' },
    spec: { selector: {}, template: { metadata: { annotations: { mine: 'x' } }, spec: { containers: [{ name: 'c', image }] } } },
  });
  const note = (image: string, id: string): Record<string, string> | undefined =>
    (noteImages([deployment(image)], [built('web', id), built('other', 'f')])[0] as Deployment).spec?.template?.metadata?.annotations;
  assert.deepEqual(note('web', 'a'), { mine: 'x', 'longshore.dev/built': 'web@sha256:aaaaaaaaaaaa' });
  assert.deepEqual(note('web:latest', 'a'), note('web', 'a'));
  assert.notDeepEqual(note('web', 'b'), note('web', 'a'));
  assert.deepEqual(note('nginx', 'a'), { mine: 'x' });
  const job = { apiVersion: 'batch/v1', kind: 'Job', spec: { template: { spec: { containers: [{ name: 'c', image: 'web' }] } } } };
  assert.deepEqual(noteImages([job], [built('web', 'a')]), [job], 'a Job can not be changed');
});

test('an image with ports becomes a Deployment and a Service; one without, a Deployment', () => {
  const [service, deployment] = objectsFor(built('my_app.v2', 'a', ['9090/tcp', '53/udp'])) as [Service, Deployment];
  assert.equal(service.metadata?.name, 'my-app-v2');
  assert.deepEqual(service.spec?.ports, [
    { name: 'udp-53', port: 53, protocol: 'UDP', targetPort: 'udp-53' },
    { name: 'tcp-9090', port: 9090, protocol: 'TCP', targetPort: 'tcp-9090' },
  ]);
  assert.deepEqual(deployment.spec?.selector?.matchLabels, service.spec?.selector);
  assert.equal(deployment.spec?.template?.spec?.containers[0]?.image, 'my_app.v2');
  assert.deepEqual(objectsFor(built('worker', 'a')).map(({ kind }) => kind), ['Deployment']);
});
