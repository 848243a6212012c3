import { createServer } from 'node:http';
import { chmod, rm } from 'node:fs/promises';
import { LongshoreError, messageOf } from '../lib/errors.ts';
import { controlSocket, type DaemonNote } from './daemon.ts';
import type { Home } from './home.ts';

/**
 * The daemon's own door, on a unix socket that root alone may open: `POST /down` stops the platform and streams its
 * phases. Everything else has its public API.
 */
export async function openControl(home: Home, down: (onPhase: (name: string, ms: number) => void) => Promise<void>): Promise<{ close(): Promise<void> }> {
  const path = controlSocket(home);
  await rm(path, { force: true });
  let stopping: Promise<void> | undefined;
  const server = createServer((request, response) => {
    if (request.method !== 'POST' || request.url !== '/down') {
      response.writeHead(404, { 'content-type': 'application/json' }).end(JSON.stringify({ message: `there is no ${request.method} ${request.url}` }));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const tell = (note: DaemonNote): void => void response.write(JSON.stringify(note) + '\n');
    stopping ??= down((phase, ms) => tell({ phase, ms }));
    stopping.then(
      () => response.end(JSON.stringify({ done: true }) + '\n'),
      (error: unknown) => {
        tell({ failed: failure(error) });
        response.end();
      },
    );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  await chmod(path, 0o600);
  return {
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
    }),
  };
}

/** An error as a note carries it. */
export function failure(error: unknown): { readonly code: string; readonly message: string; readonly object?: string; readonly remedy?: string } {
  if (!(error instanceof LongshoreError)) return { code: 'internal', message: messageOf(error) };
  return { code: error.code, message: error.message, ...(error.object ? { object: error.object } : {}), ...(error.remedy ? { remedy: error.remedy } : {}) };
}
