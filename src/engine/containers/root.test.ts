import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from './context.ts';
import { Entry } from './entry.ts';
import type { ContainerSpec } from './containers.ts';
import { mountRoot, releaseRoot, withRoot } from './root.ts';

function fixture(): { context: Context; entry: Entry; steps: string[]; unmounted: () => void } {
  const steps: string[] = [];
  let release: () => void = () => undefined;
  const slow = new Promise<void>((resolve) => (release = resolve));
  const mount = (): Promise<() => Promise<void>> => {
    steps.push('mount');
    return Promise.resolve(async () => {
      steps.push('unmounting');
      await slow;
      steps.push('unmounted');
    });
  };
  const entry = new Entry('/folder', { version: 1, id: 'a'.repeat(64), name: 'one', spec: { autoRemove: false } as unknown as ContainerSpec, createdMs: 0 });
  return { context: { images: { snapshots: { mount } } } as unknown as Context, entry, steps, unmounted: () => release() };
}

test('a root is mounted for the first who wants it and unmounted after the last', async () => {
  const { context, entry, steps, unmounted } = fixture();
  unmounted();
  await withRoot(context, entry, () => withRoot(context, entry, (root) => Promise.resolve(assert.equal(root, '/folder/rootfs'))));
  assert.deepEqual(steps, ['mount', 'unmounting', 'unmounted']);
});

test('who comes while it is being unmounted waits, so that its own mount is not the one taken off', async () => {
  const { context, entry, steps, unmounted } = fixture();
  await mountRoot(context, entry);
  const released = releaseRoot(entry);
  const again = mountRoot(context, entry);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(steps, ['mount', 'unmounting']);
  unmounted();
  await Promise.all([released, again]);
  assert.deepEqual(steps, ['mount', 'unmounting', 'unmounted', 'mount']);
  await releaseRoot(entry);
});
