import type { Answer } from '../../tools/record/answer.ts';

/** One place at which our answer is not the peer's. */
export interface Difference {
  /** As in `status`, `headers.warning`, `body.spec.ports[0].targetPort`. */
  readonly path: string;
  /** undefined: it is not there. */
  readonly peer: unknown;
  readonly ours: unknown;
}

/**
 * Every place at which two answers differ: the deepest, or the highest that
 * only one of them has. Where the status differs, that alone is told.
 */
export function differences(peer: Answer, ours: Answer): Difference[] {
  if (peer.status !== ours.status) return [{ path: 'status', peer: summary(peer), ours: summary(ours) }];
  const found: Difference[] = [];
  compare('headers', peer.headers, ours.headers, found);
  compare('body', bodyOf(peer), bodyOf(ours), found);
  return found;
}

/** The status, and the message where it is an error's. */
function summary(answer: Answer): string {
  const body = bodyOf(answer);
  return isMap(body) && typeof body['message'] === 'string' ? `${answer.status}: ${body['message']}` : String(answer.status);
}

function bodyOf({ body }: Answer): unknown {
  switch (body.form) {
    case 'none': return undefined;
    case 'json': return body.value;
    case 'stream': return body.values;
    default: return body.text;
  }
}

function compare(path: string, peer: unknown, ours: unknown, found: Difference[]): void {
  if (Array.isArray(peer) && Array.isArray(ours)) {
    for (let at = 0; at < Math.max(peer.length, ours.length); at++) compare(`${path}[${at}]`, peer[at], ours[at], found);
  } else if (isMap(peer) && isMap(ours)) {
    for (const key of new Set([...Object.keys(peer), ...Object.keys(ours)])) {
      const inner = /^[\w-]+$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
      compare(inner, Object.hasOwn(peer, key) ? peer[key] : undefined, Object.hasOwn(ours, key) ? ours[key] : undefined, found);
    }
  } else if (!Object.is(peer, ours) && !isRemedied(path, peer, ours)) found.push({ path, peer, ours });
}

/** Errors of our Docker API say what to do next, on a line of its own below the message: that is no difference. */
function isRemedied(path: string, peer: unknown, ours: unknown): boolean {
  return /[.]message$|[.]error$/.test(path) && typeof peer === 'string' && typeof ours === 'string' && ours.startsWith(`${peer}\n`) && peer !== '';
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a path of the list of known differences covers that of a difference: it is the same, or lies above. */
export function covers(known: string, path: string): boolean {
  return path === known || (path.startsWith(known) && /^[.[]/.test(path.slice(known.length)));
}
