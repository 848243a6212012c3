import { parse } from 'yaml';
import type { Answer, AnswerBody } from './answer.ts';
import { parseExactJson } from './exact-json.ts';
import { exchange, type Endpoint, type RawAnswer } from './exchange.ts';
import { at, seconds, substitute } from './references.ts';
import type { Scenario, Step } from './scenario.ts';
import { view } from './views.ts';

/** Makes answers of two runs, or of two servers, comparable. One for each scenario. */
export interface Normaliser {
  /** Learns from a value and the target of its request, then writes it anew with marks such as `<uid web>`. */
  value(value: unknown, target: string): unknown;
  text(text: string): string;
}

export interface Player {
  readonly endpoint: Endpoint;
  /** Lower-case names of the headers that belong to the answers of a scenario. */
  headers(scenario: Scenario): readonly string[];
  /** Headers that every request of this user carries. */
  headersOf(user: string): Readonly<Record<string, string>>;
  normaliser(scenario: Scenario): Normaliser;
  /** Forgets what was before now: the step `COMPACT /`. */
  compact?(): Promise<void>;
}

/** Dockerd looks for a plug-in for 15 s before it says that there is none. */
const TIMEOUT_MS = 30_000;
const ASK_AGAIN_MS = 50;
const ASK_AGAIN_FOR_MS = 30_000;

/** Sends a scenario's requests one after the other, and hands over each answer as it is there. */
export async function* play(scenario: Scenario, player: Player): AsyncGenerator<{ readonly step: Step; readonly answer: Answer }> {
  const normaliser = player.normaliser(scenario);
  const saved = new Map<string, unknown>([['start', seconds()]]);
  for (const step of scenario.steps) {
    if (step.method === 'COMPACT') {
      await player.compact?.();
      yield { step, answer: { status: 200, headers: {}, body: { form: 'none' } } };
      continue;
    }
    await pause(Number(step.directives.get('after') ?? 0));
    const raw = await send(step, player, saved).catch((error: unknown) => {
      throw new Error(`${scenario.name}, step "${step.title}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
    const body = decode(raw, step);
    const name = step.directives.get('save');
    if (name !== undefined) saved.set(name, body.form === 'json' ? body.value : body.form === 'text' ? body.text : undefined);
    const headers: Record<string, string> = {};
    for (const header of player.headers(scenario)) {
      const values = raw.headers[header];
      if (values !== undefined && !(header === 'content-type' && values[0] === 'application/json')) {
        headers[header] = values.map((value) => normaliser.text(value)).join('\n');
      }
    }
    yield { step, answer: { status: raw.status, headers, body: normalised(body, step, normaliser) } };
  }
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => { setTimeout(resolve, ms); });
}

async function send(step: Step, player: Player, saved: ReadonlyMap<string, unknown>): Promise<RawAnswer> {
  const headers: Record<string, string> = { ...player.headersOf(step.directives.get('as') ?? 'admin') };
  for (const [name, value] of step.headers) headers[name] = substitute(value, saved);
  const events = step.directives.get('events');
  const request = {
    method: step.method, target: substitute(step.target, saved), headers, body: encode(step, headers, saved), timeoutMs: TIMEOUT_MS,
    ...(events === undefined ? {} : { enough: (received: Buffer) => lines(received.toString()).length >= Number(events) }),
  };
  const until = /^(\S+) == (.*)$/.exec(step.directives.get('until') ?? '');
  for (let waited = 0; ; waited += ASK_AGAIN_MS) {
    const answer = await exchange(player.endpoint, request);
    if (until === null) return answer;
    const body = decode(answer, step);
    const found = until[1] === 'status' ? answer.status : at(body.form === 'json' ? body.value : undefined, until[1]!.split('.'));
    if (String(found) === until[2] || waited >= ASK_AGAIN_FOR_MS) return answer;
    await pause(ASK_AGAIN_MS);
  }
}

/** The body as it travels. Sets the Content-Type where the step names none. */
function encode(step: Step, headers: Record<string, string>, saved: ReadonlyMap<string, unknown>): Buffer | undefined {
  if (step.body === undefined) return undefined;
  const text = substitute(step.body, saved);
  const name = Object.keys(headers).find((header) => header.toLowerCase() === 'content-type');
  if (name === undefined) headers['Content-Type'] = 'application/json';
  return Buffer.from(step.directives.has('raw') ? text : JSON.stringify(parse(text)));
}

function decode(raw: RawAnswer, step: Step): AnswerBody {
  const text = raw.body.toString();
  const type = raw.headers['content-type']?.[0] ?? '';
  if (raw.body.length === 0) return { form: 'none' };
  if (step.directives.has('frames')) return { form: 'json', value: frames(raw.body) };
  if (step.directives.has('events') && raw.status === 200) {
    return {
      form: 'stream',
      values: lines(text)
        .slice(0, Number(step.directives.get('events')))
        .map(parseExactJson),
    };
  }
  if (!/json/.test(type) && !step.directives.has('view')) return { form: 'text', text };
  const all = lines(text);
  if (all.length > 1 && all.every((line) => line.startsWith('{'))) return { form: 'stream', values: all.map(parseExactJson) };
  return { form: 'json', value: parseExactJson(text) };
}

/** Whole lines that hold something. */
function lines(text: string): string[] {
  const found = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return text.endsWith('\n') || found.length === 1 ? found : found.slice(0, -1);
}

/** Docker's multiplexed stream: the text of each of its streams. In what order the two came is chance. */
function frames(body: Buffer): Record<string, string> {
  const found: Record<string, string> = {};
  for (let offset = 0; offset + 8 <= body.length;) {
    const stream = ['stdin', 'stdout', 'stderr'][body[offset]!] ?? `stream ${body[offset]}`;
    const length = body.readUInt32BE(offset + 4);
    found[stream] = (found[stream] ?? '') + body.subarray(offset + 8, offset + 8 + length).toString();
    offset += 8 + length;
  }
  return found;
}

function normalised(body: AnswerBody, step: Step, normaliser: Normaliser): AnswerBody {
  switch (body.form) {
    case 'none': return body;
    case 'text': return { form: 'text', text: normaliser.text(body.text).replace(/\n$/, '') };
    case 'stream': return { form: 'stream', values: body.values.map((value) => normaliser.value(value, step.target)) };
    default: return { form: 'json', value: normaliser.value(view(step.directives.get('view'), body.value), step.target) };
  }
}
