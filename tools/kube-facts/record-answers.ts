// Asks a real kube-apiserver and writes down what it answers, as facts for the tests of rules and of server-side apply:
//   KUBE_URL=https://127.0.0.1:6443 KUBE_TOKEN=… NODE_TLS_REJECT_UNAUTHORIZED=0 node tools/kube-facts/record-answers.ts
// The server should run with `--disable-admission-plugins ServiceAccount` (no controllers stand behind it). Each case gets a namespace
// of its own; what it makes it deletes.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer, RecordedCase, Step } from '../../src/control-plane/api/rules/recorded/case.ts';

const url = process.env.KUBE_URL ?? 'https://127.0.0.1:6443';
const headers = { authorization: `Bearer ${process.env.KUBE_TOKEN ?? ''}` };
const TYPES = {
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
};
const root = join(import.meta.dirname, '../../src/control-plane/api');

async function ask(
  method: string,
  path: string,
  body?: unknown,
  type = 'application/json',
): Promise<{ code: number; body: Record<string, unknown>; warnings: string[] }> {
  const response = await fetch(url + path, {
    method,
    headers: { ...headers, 'content-type': type },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const warnings = (response.headers.get('warning') ?? '')
    .split(/, (?=299 )/)
    .filter((w) => w !== '')
    .map((w) => JSON.parse(w.replace(/^299 - /, '')) as string);
  return { code: response.status, body: (await response.json()) as Record<string, unknown>, warnings };
}

function pathOf(step: Step, namespace: string): string {
  const query = new URLSearchParams();
  if (step.manager !== undefined) query.set('fieldManager', step.manager);
  if (step.force === true) query.set('force', 'true');
  if (step.dryRun === true) query.set('dryRun', 'All');
  return `${step.path.replace('{ns}', namespace)}?${query.toString()}`;
}

function normal(object: Record<string, unknown>, namespace: string): unknown {
  const text = JSON.stringify(object).replaceAll(namespace, 'ns');
  return JSON.parse(text, (key, value: unknown) =>
    key === 'uid' || key === 'resourceVersion' || key === 'time' || key === 'creationTimestamp' ? undefined : value,
  );
}

async function record(cases: readonly RecordedCase[]): Promise<Record<string, Answer[]>> {
  const answers: Record<string, Answer[]> = {};
  for (const [n, { name, steps }] of cases.entries()) {
    const namespace = `case-${n}-${Date.now()}`;
    await ask('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    const made: string[] = [];
    answers[name] = [];
    for (const step of steps) {
      const { code, body, warnings } = await ask(
        step.method,
        pathOf(step, namespace),
        step.body,
        step.type === undefined ? undefined : TYPES[step.type],
      );
      if (code === 201 && step.dryRun !== true) {
        made.push(step.method === 'POST' ? `${step.path}/${(body.metadata as { name: string }).name}` : step.path);
      }
      const { message, details } = body as { message?: string; details?: { causes?: unknown[] } };
      answers[name].push(
        code < 300
          ? { code, object: normal(body, namespace) as Answer['object'], ...(warnings.length > 0 && { warnings }) }
          : {
              code,
              message: (message ?? '').replaceAll(namespace, 'ns'),
              ...(details?.causes !== undefined && {
                causes: JSON.parse(JSON.stringify(details.causes).replaceAll(namespace, 'ns')) as Answer['causes'],
              }),
            },
      );
    }
    // What is in the namespace goes too: without controllers nobody empties it, and an address would stay taken.
    for (const path of made) await ask('DELETE', path.replace('{ns}', namespace));
    await ask('DELETE', `/api/v1/namespaces/${namespace}`);
  }
  return answers;
}

for (const folder of ['rules', 'apply']) {
  const { CASES } = await import(join(root, folder, 'recorded/cases.ts')) as { CASES: readonly RecordedCase[] };
  const answers = await record(CASES);
  const rows = Object.entries(answers).map(([name, list]) => ` ${JSON.stringify(name)}: [\n  ${list.map((answer) => JSON.stringify(answer)).join(',\n  ')}]`);
  await writeFile(join(root, folder, 'recorded/answers.json'), `{\n${rows.join(',\n')}\n}\n`);
  console.log(`${folder}: ${rows.length} cases`);
}
