import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps, namespaces, nodes, pods } from '../../src/client/resources.ts';
import type { Transport } from '../../src/client/transport.ts';
import { isCode } from '../../src/lib/errors.ts';
import type { ConfigMap, Node, Pod } from '../../src/types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../src/types/kubernetes/meta.ts';
import { isReason } from '../../src/types/kubernetes/status.ts';

/** A transport to an API in which the caller may do everything, and its undo. */
export interface TransportUnderTest extends AsyncDisposable {
  readonly transport: Transport;
}

const map = (name: string, labels: Record<string, string> = {}, data: Record<string, string> = {}): ConfigMap => ({ metadata: { name, labels }, data });

/** Collects what a watch tells. */
class Told {
  readonly log: string[] = [];
  end: Error | undefined | 'open' = 'open';
  #wake = (): void => {};

  readonly sink = {
    event: (type: string, object: KubeObject): void => {
      if (type !== 'BOOKMARK') this.log.push(`${type} ${object.metadata!.name}`);
      this.#wake();
    },
    ended: (error: Error | undefined): void => {
      this.end = error;
      this.#wake();
    },
  };

  async until(holds: () => boolean): Promise<void> {
    const deadline = Date.now() + 5000;
    while (!holds()) {
      assert.ok(Date.now() < deadline, `nothing more was told than ${this.log.join(', ')}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 100);
      });
    }
  }
}

/** What every Transport keeps to, wherever its API server is. */
export function transportContract(name: string, open: () => Promise<TransportUnderTest>): void {
  const over = (title: string, body: (transport: Transport, namespace: string) => Promise<void>): void => {
    void test(`${name}: ${title}`, async () => {
      await using opened = await open();
      const namespace = 'contract';
      await opened.transport.create<KubeObject>(namespaces, undefined, { metadata: { name: namespace } });
      await body(opened.transport, namespace);
    });
  };

  over('what is made is there, with its identity, until it is deleted', async (transport, namespace) => {
    const made = await transport.create(configMaps, namespace, map('a', { x: '1' }, { k: 'v' }));
    assert.deepEqual([made.apiVersion, made.kind, made.metadata!.namespace, made.data], ['v1', 'ConfigMap', namespace, { k: 'v' }]);
    assert.ok(made.metadata!.uid && made.metadata!.resourceVersion && made.metadata!.creationTimestamp);
    assert.deepEqual(await transport.get(configMaps, namespace, 'a'), made);
    const drawn = await transport.create<ConfigMap>(configMaps, namespace, { metadata: { generateName: 'drawn-' } });
    assert.match(drawn.metadata!.name!, /^drawn-[a-z0-9]{5}$/);
    await transport.delete(configMaps, namespace, 'a', { preconditions: { uid: made.metadata!.uid } });
    await assert.rejects(transport.get(configMaps, namespace, 'a'), (error) => isReason(error, 'NotFound') && isCode(error, 'not-found'));
  });

  over('refusals say what they are', async (transport, namespace) => {
    const made = await transport.create(configMaps, namespace, map('a'));
    await assert.rejects(transport.create(configMaps, namespace, map('a')), (error) => isReason(error, 'AlreadyExists') && isCode(error, 'already-exists'));
    await transport.update(configMaps, namespace, 'a', { ...made, data: { k: 'new' } });
    await assert.rejects(
      transport.update(configMaps, namespace, 'a', { ...made, data: { k: 'old' } }),
      (error) => isReason(error, 'Conflict') && isCode(error, 'conflict'),
    );
    await assert.rejects(transport.delete(configMaps, namespace, 'a', { preconditions: { uid: 'another' } }), (error) =>
      isCode(error, 'conflict'),
    );
    await assert.rejects(
      transport.create(configMaps, namespace, map('Not_A_Name')),
      (error) => isReason(error, 'Invalid') && isCode(error, 'invalid'),
    );
    await assert.rejects(transport.patch(configMaps, namespace, 'none', 'merge', {}), (error) => isCode(error, 'not-found'));
    await assert.rejects(transport.create(configMaps, 'nowhere', map('a')), (error) => isCode(error, 'not-found'));
    assert.equal((await transport.get<ConfigMap>(configMaps, namespace, 'a')).data!['k'], 'new');
  });

  over('lists select, page, and carry a version to watch from', async (transport, namespace) => {
    for (const [each, labels] of [
      ['a', { app: 'x', tier: 'front' }],
      ['b', { app: 'x' }],
      ['c', { app: 'y' }],
    ] as const) {
      await transport.create(configMaps, namespace, map(each, labels));
    }
    const names = async (options: Parameters<Transport['list']>[2]): Promise<(string | undefined)[]> =>
      (await transport.list(configMaps, namespace, options)).items
        .map(({ metadata }) => metadata!.name)
        .filter((found) => found!.length === 1);
    assert.deepEqual(await names({ labelSelector: 'app=x' }), ['a', 'b']);
    assert.deepEqual(await names({ labelSelector: 'app in (x,y),!tier' }), ['b', 'c']);
    assert.deepEqual(await names({ fieldSelector: 'metadata.name=c' }), ['c']);
    const first = await transport.list(configMaps, namespace, { limit: 2, labelSelector: 'app' });
    assert.equal(first.items.length, 2);
    assert.equal(first.items[0]!.kind, 'ConfigMap');
    const second = await transport.list(configMaps, namespace, { limit: 2, labelSelector: 'app', continue: first.metadata.continue! });
    assert.deepEqual([second.items.map(({ metadata }) => metadata!.name), second.metadata.continue ?? ''], [['c'], '']);
    assert.ok(Number(first.metadata.resourceVersion) > 0);
    assert.ok((await transport.list(configMaps, undefined, { labelSelector: 'app' })).items.length === 3);
  });

  over('patches of all kinds, and subresources', async (transport, namespace) => {
    await transport.create(configMaps, namespace, map('a', {}, { one: '1', two: '2' }));
    const merged = await transport.patch<ConfigMap>(configMaps, namespace, 'a', 'merge', { data: { one: null, three: '3' } });
    assert.deepEqual(merged.data, { two: '2', three: '3' });
    const json = await transport.patch<ConfigMap>(configMaps, namespace, 'a', 'json', [{ op: 'replace', path: '/data/two', value: 'zwei' }]);
    assert.equal(json.data!['two'], 'zwei');
    const applied = await transport.patch<ConfigMap>(
      configMaps,
      namespace,
      'b',
      'apply',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'b' }, data: { k: 'v' } },
      { fieldManager: 'contract' },
    );
    assert.equal(applied.metadata!.managedFields![0]!.manager, 'contract');
    const node = await transport.create<Node>(nodes, undefined, { metadata: { name: 'n' }, spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } });
    const strategic = await transport.patch<Node>(nodes, undefined, 'n', 'strategic', { spec: { taints: [{ key: 'b', effect: 'NoSchedule' }] } });
    assert.ok(strategic.spec!.taints!.some(({ key }) => key === 'b'));
    const status = await transport.update<Node>(
      nodes,
      undefined,
      'n',
      { ...strategic, spec: { unschedulable: true }, status: { ...node.status, phase: 'Running' } },
      { subresource: 'status' },
    );
    assert.deepEqual([status.spec!.unschedulable, status.status!.phase], [undefined, 'Running']);
    const dry = await transport.patch<ConfigMap>(configMaps, namespace, 'a', 'merge', { data: { dry: 'run' } }, { dryRun: true });
    assert.equal(dry.data!['dry'], 'run');
    assert.equal((await transport.get<ConfigMap>(configMaps, namespace, 'a')).data!['dry'], undefined);
  });

  over('a pod is bound, and goes with or without grace', async (transport, namespace) => {
    await transport
      .create<KubeObject>({ group: '', version: 'v1', resource: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true }, namespace, {
        metadata: { name: 'default' },
      })
      .catch((error: unknown) => assert.ok(isCode(error, 'already-exists')));
    await transport.create<Node>(nodes, undefined, { metadata: { name: 'n' } });
    await transport.create<Pod>(pods, namespace, { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    await transport.createSubresource(pods, namespace, 'p', 'binding', {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'p' },
      target: { kind: 'Node', name: 'n' },
    } as KubeObject);
    assert.equal((await transport.get<Pod>(pods, namespace, 'p')).spec!.nodeName, 'n');
    await transport.delete(pods, namespace, 'p');
    assert.ok((await transport.get<Pod>(pods, namespace, 'p')).metadata!.deletionTimestamp);
    await transport.delete(pods, namespace, 'p', { gracePeriodSeconds: 0 });
    await assert.rejects(transport.get(pods, namespace, 'p'), (error) => isCode(error, 'not-found'));
  });

  over('a watch tells every change once and in order, from the version that it is given', async (transport, namespace) => {
    const { metadata } = await transport.list(configMaps, namespace);
    const told = new Told();
    const stop = transport.watch<KubeObject>(configMaps, namespace, { resourceVersion: metadata.resourceVersion!, allowWatchBookmarks: true }, told.sink);
    for (let n = 0; n < 50; n++) await transport.create(configMaps, namespace, map(`m${n}`));
    await transport.patch(configMaps, namespace, 'm0', 'merge', { data: { k: 'v' } });
    await transport.delete(configMaps, namespace, 'm1');
    const expected = [...Array.from({ length: 50 }, (_, n) => `ADDED m${n}`), 'MODIFIED m0', 'DELETED m1'];
    await told.until(() => told.log.length >= expected.length);
    assert.deepEqual(told.log, expected);
    stop();
    await transport.create(configMaps, namespace, map('after'));
    const again = new Told();
    const stopAgain = transport.watch<KubeObject>(configMaps, namespace, { resourceVersion: metadata.resourceVersion! }, again.sink);
    await again.until(() => again.log.length >= expected.length + 1);
    assert.deepEqual(again.log, [...expected, 'ADDED after']);
    assert.deepEqual(told.log, expected, 'nothing is told after stop');
    stopAgain();
  });

  over('a watch by selector sees objects come into it and leave it', async (transport, namespace) => {
    await transport.create(configMaps, namespace, map('early', { app: 'x' }));
    const told = new Told();
    const stop = transport.watch<KubeObject>(configMaps, namespace, { labelSelector: 'app=x' }, told.sink);
    await told.until(() => told.log.length === 1);
    await transport.create(configMaps, namespace, map('other', { app: 'y' }));
    await transport.patch(configMaps, namespace, 'other', 'merge', { metadata: { labels: { app: 'x' } } });
    await transport.patch(configMaps, namespace, 'early', 'merge', { metadata: { labels: { app: 'y' } } });
    await told.until(() => told.log.length === 3);
    assert.deepEqual(told.log, ['ADDED early', 'ADDED other', 'DELETED early']);
    stop();
  });

  over('a watch ends in order when its time is over, and with an error where it cannot be', async (transport, namespace) => {
    const timed = new Told();
    transport.watch<KubeObject>(configMaps, namespace, { timeoutSeconds: 1 }, timed.sink);
    await timed.until(() => timed.end !== 'open');
    assert.equal(timed.end, undefined);
    const unknown = new Told();
    transport.watch<KubeObject>({ ...configMaps, resource: 'nonsense' }, namespace, {}, unknown.sink);
    await unknown.until(() => unknown.end !== 'open');
    assert.ok(isCode(unknown.end, 'not-found'));
  });

  over('many objects go at once by selector', async (transport, namespace) => {
    for (const [each, app] of [
      ['a', 'x'],
      ['b', 'x'],
      ['c', 'y'],
    ] as const) {
      await transport.create(configMaps, namespace, map(each, { app }));
    }
    await transport.deleteCollection(configMaps, namespace, { labelSelector: 'app=x' });
    assert.deepEqual((await transport.list(configMaps, namespace, { labelSelector: 'app' })).items.map(({ metadata }) => metadata!.name), ['c']);
  });

  over('a call that is given up is over', async (transport, namespace) => {
    const abort = new AbortController();
    abort.abort();
    await assert.rejects(transport.list(configMaps, namespace, { signal: abort.signal }));
  });
}
