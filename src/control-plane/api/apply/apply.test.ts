import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from '../../../types/kubernetes/generated/resources.ts';
import type { KubeObject, ManagedFieldsEntry } from '../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import type { Answer, Step } from '../rules/recorded/case.ts';
import { kubernetesRules as rules } from '../rules/rules.ts';
import { applyPatch, trackUpdate } from './apply.ts';
import answers from './recorded/answers.json' with { type: 'json' };
import { CASES } from './recorded/cases.ts';

const NOW = '2024-01-01T00:00:00Z';

function resourceOf(path: string): { resource: ResourceInfo; subresource: string | undefined } {
  const parts = path.split('/').slice(path.startsWith('/apis') ? 2 : 1);
  const resource = RESOURCES.find(
    (row) => row.resource === parts[parts.indexOf('{ns}') + 1] && row.version === (path.startsWith('/apis') ? parts[1] : parts[1]),
  );
  return { resource: resource!, subresource: parts[parts.indexOf('{ns}') + 3] };
}

function decoded(resource: ResourceInfo, body: unknown): KubeObject {
  const object = rules.decode(resource, body, []);
  rules.applyDefaults(resource, object);
  return object;
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const out = { ...target as object } as Record<string, unknown>;
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value);
  }
  return out;
}

/** Fields in any order, times left out; what only admission, strategies and allocation do is not looked at. */
function comparable(object: KubeObject | undefined): unknown {
  const { spec, data, metadata } = object as { spec?: Record<string, unknown>; data?: unknown; metadata?: KubeObject['metadata'] };
  const { clusterIP: _a, clusterIPs: _b, ipFamilies: _c, ipFamilyPolicy: _d, priority: _e, preemptionPolicy: _f, tolerations: _g, ...rest } = spec ?? {};
  return { data, spec: rest, labels: metadata?.labels, annotations: metadata?.annotations, finalizers: metadata?.finalizers };
}

function entries(list: readonly ManagedFieldsEntry[] | undefined): unknown {
  return (list ?? []).map(({ time: _, ...entry }) => entry).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** Does the step as the server did it, and says what comes out; `live` is what the server had before. */
function perform(step: Step, live: KubeObject | undefined): { object: KubeObject | undefined; fields: readonly ManagedFieldsEntry[] | undefined } {
  const { resource, subresource } = resourceOf(step.path);
  const manager = step.manager!;
  if (step.type === 'apply') {
    const { object } = applyPatch({ resource, subresource, live, applied: step.body as KubeObject, manager, force: step.force ?? false, now: NOW });
    const copy = structuredClone(object);
    rules.applyDefaults(resource, copy);
    return { object: copy, fields: object.metadata?.managedFields };
  }
  const updated = decoded(resource, step.method === 'PATCH' ? mergePatch(live, step.body) : step.body);
  return { object: undefined, fields: trackUpdate({ resource, subresource, live, updated, manager, now: NOW }) };
}

for (const { name, steps } of CASES) {
  test(`as kube-apiserver did: ${name}`, () => {
    let live: KubeObject | undefined;
    for (const [n, step] of steps.entries()) {
      const answer = (answers as unknown as Record<string, Answer[]>)[name]![n]!;
      // The server's objects carry no uid in the records: put one there, as of an object that exists.
      if (live !== undefined) live = { ...live, metadata: { ...live.metadata, uid: 'u', creationTimestamp: NOW } };
      if (answer.object === undefined) {
        assert.throws(
          () => perform(step, live),
          (error: unknown) => {
            assert.ok(error instanceof StatusError);
            assert.equal(error.status.code, answer.code);
            assert.equal(error.message.replace(/ at \S+Z/g, ''), answer.message!.replace(/ at \S+Z/g, ''), `step ${n}`);
            assert.deepEqual(
              error.status.details?.causes,
              answer.causes?.map((cause) => ({
                reason: cause.reason,
                message: cause.message.replace(/ at \S+Z/g, ''),
                field: cause.field,
              })),
            );
            return true;
          },
          `step ${n}`,
        );
        continue;
      }
      const { object, fields } = perform(step, live);
      assert.deepEqual(entries(fields), entries(answer.object.metadata?.managedFields), `managedFields of step ${n}`);
      if (object !== undefined) assert.deepEqual(comparable(object), comparable(answer.object), `object of step ${n}`);
      live = answer.object;
    }
  });
}

test('an apply that changes nothing is no change', () => {
  const resource = RESOURCES.find((row) => row.resource === 'configmaps')!;
  const applied = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'b' }, data: { x: '1' } } as KubeObject;
  const first = applyPatch({ resource, subresource: undefined, live: undefined, applied, manager: 'm', force: false, now: NOW });
  assert.equal(first.changed, true);
  const again = applyPatch({ resource, subresource: undefined, live: first.object, applied, manager: 'm', force: false, now: '2025-01-01T00:00:00Z' });
  assert.equal(again.changed, false);
  assert.deepEqual(again.object, first.object);
  const touched = trackUpdate({ resource, subresource: undefined, live: first.object, updated: structuredClone(first.object), manager: 'other', now: NOW });
  assert.equal(touched, first.object.metadata?.managedFields);
});

test('hostile keys are data, hostile managedFields are ignored', () => {
  const resource = RESOURCES.find((row) => row.resource === 'configmaps')!;
  const applied = JSON.parse('{"metadata":{"name":"a"},"data":{"__proto__":"x","constructor":"y"}}') as KubeObject;
  const { object } = applyPatch({ resource, subresource: undefined, live: undefined, applied, manager: 'm', force: false, now: NOW });
  assert.deepEqual(object.metadata?.managedFields?.[0]?.fieldsV1, { 'f:data': { 'f:__proto__': {}, 'f:constructor': {} } });
  assert.deepEqual(Object.keys((object as { data?: object }).data ?? {}), ['__proto__', 'constructor']);
  for (const fieldsV1 of [5, { 'f:a': 5 }, { x: {} }, { 'k:{': {} }, []]) {
    const live = {
      ...object,
      metadata: {
        ...object.metadata,
        managedFields: [{ manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1 }],
      },
    } as KubeObject;
    const after = applyPatch({ resource, subresource: undefined, live, applied, manager: 'm', force: true, now: NOW });
    assert.ok(after.object.metadata?.managedFields?.every((entry) => entry.manager !== 'x'));
  }
});
