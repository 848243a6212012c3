import { request, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { isErrno, LongshoreError } from '../../lib/errors.ts';

/** A small client of the Docker Engine API on a unix socket: what `up` needs to build. */
export interface Docker {
  /** Whether the engine has this image. */
  hasImage(reference: string): Promise<boolean>;
  /** @throws LongshoreError with the engine's own message */
  pull(reference: string, note: (detail: string) => void): Promise<void>;
  /** Makes an image of a root file system. `changes` are Dockerfile instructions such as `CMD ["sh"]`. */
  importImage(tar: Readable, reference: string, changes: readonly string[]): Promise<void>;
  /** Any call that is answered by JSON. @throws LongshoreError with the engine's own message */
  json(method: string, path: string): Promise<unknown>;
  build(context: Readable, options: { readonly tag: string; readonly dockerfile: string }, note: (detail: string) => void): Promise<void>;
}

export function dockerAt(socketPath: string): Docker {
  const call = (method: string, path: string, body?: Readable): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const outgoing = request({ socketPath, method, path, headers: body ? { 'content-type': 'application/x-tar' } : {} }, resolve);
      outgoing.on('error', (error) =>
        reject(
          isErrno(error, 'EACCES')
            ? new LongshoreError('forbidden', `you may not use ${socketPath}`, {
                object: socketPath,
                remedy: 'Run it as root, or become a member of the group docker where there is one (then start the platform again).',
                cause: error,
              })
            : new LongshoreError('unavailable', `the engine at ${socketPath} does not answer: ${error.message}`, {
                remedy: 'See the log: longshore logs',
                cause: error,
              }),
        ),
      );
      if (body) body.on('error', (error) => outgoing.destroy(error)).pipe(outgoing);
      else outgoing.end();
    });
  return {
    async hasImage(reference) {
      const response = await call('GET', `/images/${encodeURIComponent(reference).replaceAll('%2F', '/')}/json`);
      response.resume();
      return response.statusCode === 200;
    },
    async pull(reference, note) {
      const [name, tag] = splitTag(reference);
      await stream(await call('POST', `/images/create?fromImage=${encodeURIComponent(name)}&tag=${encodeURIComponent(tag)}`), note);
    },
    async importImage(tar, reference, changes) {
      const [name, tag] = splitTag(reference);
      await stream(
        await call(
          'POST',
          `/images/create?fromSrc=-&repo=${encodeURIComponent(name)}&tag=${encodeURIComponent(tag)}${changes.map((change) => `&changes=${encodeURIComponent(change)}`).join('')}`,
          tar,
        ),
        () => {},
      );
    },
    async json(method, path) {
      const response = await call(method, path);
      const text = await readText(response);
      const answer: unknown = text === '' ? undefined : JSON.parse(text);
      if ((response.statusCode ?? 500) >= 400) {
        throw new LongshoreError(
          response.statusCode === 404 ? 'not-found' : 'invalid',
          (answer as { readonly message?: string } | undefined)?.message ?? `the engine answered ${response.statusCode}`,
        );
      }
      return answer;
    },
    async build(context, { tag, dockerfile }, note) {
      await stream(await call('POST', `/build?t=${encodeURIComponent(tag)}&dockerfile=${encodeURIComponent(dockerfile)}&rm=1`, context), note);
    },
  };
}

function splitTag(reference: string): [string, string] {
  const at = reference.lastIndexOf(':');
  return at > reference.lastIndexOf('/') && !reference.includes('@') ? [reference.slice(0, at), reference.slice(at + 1)] : [reference, 'latest'];
}

/** Follows the engine's stream of JSON objects to its end. @throws LongshoreError for an error object or status */
async function stream(response: IncomingMessage, note: (detail: string) => void): Promise<void> {
  let rest = '';
  const said: string[] = [];
  for await (const piece of response.setEncoding('utf8') as AsyncIterable<string>) {
    rest += piece;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  }
  take(rest);
  function take(line: string): void {
    if (line.trim() === '') return;
    const entry = JSON.parse(line) as { stream?: string; status?: string; id?: string; error?: string; message?: string };
    if (entry.error !== undefined) {
      throw new LongshoreError('invalid', [entry.error, ...said.slice(-10).map((text) => `  ${text}`)].join('\n'));
    }
    if ((response.statusCode ?? 0) >= 400) {
      throw new LongshoreError(response.statusCode === 404 ? 'not-found' : 'invalid', entry.message ?? line);
    }
    const text = (entry.stream ?? (entry.status === undefined ? '' : `${entry.id ? `${entry.id}: ` : ''}${entry.status}`)).trim();
    if (text === '') return;
    said.push(text);
    if (said.length > 50) said.shift();
    note(text.split('\n').at(-1)!.slice(0, 80));
  }
}
