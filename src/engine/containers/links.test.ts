import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSpec } from './containers.ts';
import { Entry } from './entry.ts';
import { findLinked, linkLines, ownerOf } from './links.ts';
import type { Endpoint } from '../network/network.ts';

function entry(id: string, name: string, links: ContainerSpec['links'] = []): Entry {
  return new Entry(`/${id}`, { version: 1, id, name, spec: { links } as unknown as ContainerSpec, createdMs: 0 });
}
const [db, web] = [entry('d'.repeat(64), 'db'), entry('e'.repeat(64), 'web', [{ container: 'd'.repeat(64), alias: 'sql' }])];
const entries = new Map([db, web].map((each) => [each.id, each]));
const names = new Map([db, web].map((each) => [each.name, each.id]));
const context = { entries, names, find: (id: string) => entries.get(id)! };

test('a container is found by the name of one that is linked to it, and the alias there', () => {
  assert.equal(findLinked(context, 'web/sql'), db);
  for (const path of ['web/db', 'db/sql', 'none/sql', 'web/', '/sql']) assert.equal(findLinked(context, path), undefined, path);
});

test('the owner of a link is found, and that there is none is told', () => {
  assert.deepEqual(ownerOf(context, 'web/sql'), { owner: web, alias: 'sql' });
  for (const path of ['web/db', 'none/sql', 'web', 'db/x']) {
    assert.throws(() => ownerOf(context, path), { code: 'not-found', message: `No such link: ${path}` });
  }
});

test('a link is a line of /etc/hosts, once its container runs', () => {
  assert.throws(() => linkLines(context, web), { code: 'conflict', message: 'Cannot link to a non running container: /db AS /web/sql' });
  db.change({ endpoints: [{ address: '10.0.0.9' } as Endpoint] });
  assert.deepEqual(linkLines(context, web), ['10.0.0.9\tsql dddddddddddd db']);
});
