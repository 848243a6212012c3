import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LongshoreError } from '../../../lib/errors.ts';
import type { Container, Containers, MountSpec } from '../../containers/containers.ts';
import type { Deps } from '../deps.ts';
import { checkNamespaceOwner, linkOf, mountsFrom } from './others.ts';

const mounts: MountSpec[] = [{ type: 'volume', volume: 'v', target: '/v', readOnly: false }, { type: 'tmpfs', target: '/t' }];
const containers = {
  get(name: string) {
    if (name === 'many') throw new LongshoreError('conflict', 'ambiguous');
    if (name !== 'db') throw new LongshoreError('not-found', `No such container: ${name}`);
    return { id: 'id-of-db', spec: { mounts } } as unknown as Container;
  },
} as unknown as Containers;
const deps = { containers } as Deps;

test('links name a container, and an alias or its name', () => {
  assert.deepEqual(linkOf(deps, 'db'), { container: 'id-of-db', alias: 'db' });
  assert.deepEqual(linkOf(deps, 'db:/web/base'), { container: 'id-of-db', alias: 'base' });
  for (const bad of ['', ':x', 'db:', 'db:a:b']) assert.throws(() => linkOf(deps, bad), { code: 'invalid' });
});

test('a container that a body names and that is not there makes the body wrong', () => {
  assert.throws(() => linkOf(deps, 'none'), { code: 'invalid', message: 'could not get container for none: No such container: none' });
  assert.throws(() => mountsFrom(deps, ['none:ro']), { code: 'invalid', message: 'No such container: none' });
  assert.throws(() => checkNamespaceOwner(deps, 'container:none'), { code: 'invalid' });
  assert.throws(() => checkNamespaceOwner(deps, 'container:many'), { code: 'conflict' });
  checkNamespaceOwner(deps, 'host');
  checkNamespaceOwner(deps, 'container:db');
});

test('mounts of another container come along, read-only where that is asked, tmpfs not', () => {
  assert.deepEqual(mountsFrom(deps, ['db']), [mounts[0]]);
  assert.deepEqual(mountsFrom(deps, ['db:ro']), [{ ...mounts[0], readOnly: true }]);
  assert.throws(() => mountsFrom(deps, ['db:xx']), /invalid mode/);
});
