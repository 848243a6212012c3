import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RESOURCES } from '../../../../types/kubernetes/generated/resources.ts';
import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { Stored } from '../../registry/stored.ts';
import { decodeKind } from '../../rules/decode/decode.ts';
import { parseJson } from '../json.ts';
import { ProtobufCodec } from './codec.ts';

const codec = new ProtobufCodec(() => RESOURCES);

/** What Go wrote: see tools/protobuf-golden. */
const golden = (await readFile(join(import.meta.dirname, 'golden.jsonl'), 'utf8')).trim().split('\n').map((line) => {
  const { json, protobuf } = parseJson(Buffer.from(line)).value as { json: KubeObject; protobuf: string };
  return { json, body: Buffer.from(protobuf, 'base64') };
});

/** The row, or what stands for it where the kind is no resource. */
function rowOf(object: KubeObject): ResourceInfo {
  const row = RESOURCES.find(
    (candidate) =>
      candidate.kind === object.kind &&
      (candidate.group === '' ? candidate.version : `${candidate.group}/${candidate.version}`) === object.apiVersion,
  );
  return row ?? { ...RESOURCES[0]!, kind: object.kind!, schema: `io.k8s.apimachinery.pkg.apis.meta.v1.${object.kind}` };
}

/** Without what JSON may write or leave out: decoding by the schema makes both one. */
function canonical(object: KubeObject): unknown {
  const unknown: string[] = [];
  const decoded = decodeKind(rowOf(object), object, unknown);
  assert.deepEqual(unknown, []);
  return decoded;
}

for (const { json, body } of golden) {
  test(`${json.kind}: bytes made by Go are read as Go's own JSON`, () => {
    assert.deepEqual(canonical(codec.decode(body) as KubeObject), canonical(json));
  });

  test(`${json.kind}: what is written is read again as the same`, () => {
    const written = codec.object(rowOf(json), json);
    assert.deepEqual(canonical(codec.decode(written) as KubeObject), canonical(json));
  });
}

test('int64 stays exact past 2^53', () => {
  const pod = codec.decode(golden[0]!.body) as KubeObject;
  assert.equal(pod.metadata!.generation, 9007199254740993n);
});

test('a list and a watch event carry objects', () => {
  const cm = RESOURCES.find((row) => row.resource === 'configmaps')!;
  const list = codec.list(cm, {
    revision: 7,
    items: [Stored.of({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }, 5)],
    continue: 'c',
    remainingItemCount: 2,
  });
  assert.equal(list.toString('latin1', 0, 4), 'k8s\0');
  assert.ok(list.includes('ConfigMapList'));
  const event = codec.watchEvent('ADDED', codec.object(cm, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }));
  assert.equal(event.readUInt32BE(0), event.length - 4);
});

test('broken bytes are refused, whatever they are', () => {
  const { body } = golden[0]!;
  assert.throws(() => codec.decode(Buffer.from('{}')), /protobuf/);
  for (let end = 4; end < body.length; end++) {
    try {
      codec.decode(body.subarray(0, end));
    } catch (error) {
      assert.equal((error as { status?: { code?: number } }).status?.code, 400, `cut at ${end}: ${String(error)}`);
    }
  }
  for (let at = 4; at < body.length; at++) {
    const changed = Buffer.from(body);
    changed[at]! ^= 0xff;
    try {
      codec.decode(changed);
    } catch (error) {
      assert.equal((error as { status?: { code?: number } }).status?.code, 400, `byte ${at}: ${String(error)}`);
    }
  }
});

test('nesting is bounded', () => {
  const crd = RESOURCES.find((row) => row.resource === 'customresourcedefinitions')!;
  let schema: Record<string, unknown> = { type: 'string' };
  for (let depth = 0; depth < 300; depth++) schema = { not: schema };
  const body = codec.object(crd, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'x' },
    spec: { versions: [{ name: 'v1', schema: { openAPIV3Schema: schema } }] },
  } as KubeObject);
  assert.throws(() => codec.decode(body), /nested too deeply/);
});
