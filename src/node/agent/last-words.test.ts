import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Container, Pod } from '../../types/kubernetes/generated/core-v1.ts';
import type { CriContainerStatus } from '../cri/cri.ts';
import { withLastWords } from './last-words.ts';
import type { PodView } from './view.ts';

const run = (logPath: string): CriContainerStatus => ({
  id: 'c',
  metadata: { name: 'app', attempt: 0 },
  image: 'i',
  imageRef: '',
  imageId: '',
  createdAt: 0n,
  labels: {},
  annotations: {},
  state: 'CONTAINER_EXITED',
  startedAt: 0n,
  finishedAt: 1n,
  exitCode: 1,
  reason: 'Error',
  message: '',
  mounts: [],
  logPath,
});

test('what a container left to say is read no further than it is shown, however much it wrote', async () => {
  const folder = await mkdtemp('/tmp/words-');
  const log = join(folder, '0.log');
  const file = join(folder, 'pods/u/containers/app/termination-log');
  const said = async (container: Partial<Container>, more: number = 0): Promise<string> => {
    const containers = [{ name: 'app', ...container }, ...Array.from({ length: more }, (_, n) => ({ name: `c${n}` }))];
    const pod: Pod = { metadata: { uid: 'u' }, spec: { containers } };
    const view: PodView = {
      sandbox: undefined,
      olderSandboxes: [],
      emptySandboxes: [],
      stale: [],
      containers: new Map([['app', { latest: run(log), previous: undefined }]]),
    };
    return (await withLastWords(folder, pod, view)).containers.get('app')!.latest.message;
  };
  try {
    await mkdir(join(folder, 'pods/u/containers/app'), { recursive: true });
    await writeFile(file, '');
    assert.equal(await said({}), '');
    assert.equal(await said({ terminationMessagePolicy: 'FallbackToLogsOnError' }), '');
    await writeFile(log, Array.from({ length: 100_000 }, (_, n) => `2026-01-01T00:00:00.000000000Z stdout F line ${n}\n`).join(''));
    const end = await said({ terminationMessagePolicy: 'FallbackToLogsOnError' });
    assert.equal(end, Array.from({ length: 80 }, (_, n) => `line ${99_920 + n}`).join('\n'));
    await writeFile(file, 'x'.repeat(5_000_000));
    assert.equal((await said({})).length, 4096);
    assert.equal((await said({}, 11)).length, 1024);
  } finally {
    await rm(folder, { recursive: true });
  }
});
