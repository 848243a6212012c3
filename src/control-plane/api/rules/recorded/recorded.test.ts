import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { RESOURCES } from '../../../../types/kubernetes/generated/resources.ts';
import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import { StatusError } from '../../../../types/kubernetes/status.ts';
import { defaultTolerationSeconds, taintNodesByCondition } from '../../admission/small.ts';
import { context, namespaces, type Fixture } from '../../registry/fixtures.test-helper.ts';
import { realFixture } from '../../registry/real.test-helper.ts';
import { kubernetesRules } from '../rules.ts';
import type { Answer, Step } from './case.ts';
import { CASES } from './cases.ts';

// The same requests as were put to a real kube-apiserver, put to the registry with the real rules, want the same answers.

const answers = JSON.parse(readFileSync(join(import.meta.dirname, 'answers.json'), 'utf8')) as Readonly<Record<string, readonly Answer[]>>;

interface Target {
  readonly info: ResourceInfo;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

function targetOf(path: string): Target {
  const parts = path.replace('{ns}', 'ns').split('/').slice(1);
  const [group, version, rest] = parts[0] === 'api' ? ['', parts[1]!, parts.slice(2)] : [parts[1]!, parts[2]!, parts.slice(3)];
  const namespaced = rest[0] === 'namespaces' && rest.length > 2;
  const [resource, name, subresource] = namespaced ? rest.slice(2) : rest;
  const info = RESOURCES.find((row) => row.group === group && row.version === version && row.resource === resource);
  assert.ok(info !== undefined, path);
  return { info, namespace: namespaced ? 'ns' : undefined, name, subresource };
}

/** Reviews are never stored, so they come past the rules alone. */
function review(info: ResourceInfo, body: unknown): Answer {
  const object = kubernetesRules.decode(info, body, []);
  const causes = kubernetesRules.validate(info, object, undefined, undefined).map(({ type, field, message }) => ({ reason: type, field, message }));
  return { code: causes.length === 0 ? 201 : 422, causes };
}

async function send({ registry }: Fixture, step: Step): Promise<Answer> {
  const { info, namespace, name, subresource } = targetOf(step.path);
  const options = { ...(step.dryRun === true && { dryRun: true }), ...(subresource !== undefined && { subresource }), fieldManager: 'node', fieldValidation: 'Strict' as const };
  const body = structuredClone(step.body);
  if (info.group === 'authorization.k8s.io') return review(info, body);
  if (step.method === 'POST') return { code: 201, object: (await registry.create(context(), info, namespace, body, options)).stored.object };
  assert.ok(step.method === 'PUT' || step.type === 'merge');
  const { stored, created } = step.method === 'PUT'
    ? await registry.update(context(), info, namespace, name!, body, options)
    : await registry.patch(context(), info, namespace, name!, { type: 'merge', body }, options);
  return { code: created ? 201 : 200, object: stored.object };
}

async function answerOf(fixture: Fixture, step: Step): Promise<Answer> {
  try {
    return await send(fixture, step);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const { code = 500, message = '', details } = error.status;
    return { code, message, causes: (details?.causes ?? []) as Answer['causes'] };
  }
}

/** What others than the rules give to an object: the system's fields, what admission plug-ins and controllers fill in, what is drawn by chance. */
const ELSEWHERE = new Set([
  'uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'generation', 'time', 'lastTransitionTime', 'lastPhaseTransitionTime', 'clusterIP', 'clusterIPs', 'nodePort', 'healthCheckNodePort',
  'controller-uid', 'batch.kubernetes.io/controller-uid', 'priority', 'preemptionPolicy', 'deprecated.daemonset.template.generation',
]);

function plain(object: KubeObject | undefined): unknown {
  return object && JSON.parse(JSON.stringify(object), (key, value: unknown) => {
    if (ELSEWHERE.has(key) || value === null) return undefined;
    if (key === 'finalizers') return (value as string[]).filter((finalizer) => !finalizer.endsWith('-protection'));
    return value;
  }, ) as unknown;
}

/** Empty maps and lists say nothing. */
function pruned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pruned);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).map(([key, item]) => [key, pruned(item)] as const).filter(([key, item]) => !(['annotations', 'finalizers'].includes(key) && Object.keys(item as object).length === 0));
  return Object.fromEntries(kept);
}

/** Without what is drawn by chance, and of what is printed over several lines, or whole, the words alone. */
function told(message: string): string {
  const line = message.split('\n', 1)[0]!.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID');
  return line.replace(/^Invalid value: \{.*\}: (?=field is immutable$|must be empty)/, 'Invalid value: …: ');
}

/** The server may tell of one fault twice. */
function causesOf(answer: Answer): string[] {
  return [...new Set((answer.causes ?? []).map(({ field, reason, message }) => `${field} | ${reason} | ${told(message)}`))].sort();
}

for (const { name, steps } of CASES) {
  test(`answers as kube-apiserver does: ${name}`, async () => {
    const fixture = await realFixture({ admission: [taintNodesByCondition, defaultTolerationSeconds] });
    await fixture.registry.create(context(), namespaces, undefined, { metadata: { name: 'ns' } }, {});
    for (const [n, step] of steps.entries()) {
      const want = answers[name]![n]!;
      const got = await answerOf(fixture, step);
      const what = `step ${n}: ${step.method} ${step.path} ${JSON.stringify(step.body).slice(0, 400)}`;
      assert.deepEqual(causesOf(got), causesOf(want), what);
      assert.equal(got.code, want.code, `${what}: ${got.message}`);
      if (want.message !== undefined && causesOf(want).length === 0) assert.equal(got.message, want.message, what);
      if (got.object !== undefined) assert.deepEqual(pruned(plain(got.object)), pruned(plain(want.object)), what);
    }
    await fixture.registry.close();
  });
}
