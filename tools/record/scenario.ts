/**
 * # Golden files
 *
 * A golden file is a readable history: requests written by us, and below each
 * the answer that a real peer gave to it, normalised.
 *
 * ```
 * # What the history shows, in free text.
 *
 * namespace: shop                     settings, one a line
 * recorded: kube-apiserver v1.36.3    written by the recorder
 *
 * == create a ConfigMap               a step, by a title that is unique in the file
 * POST /api/v1/namespaces/shop/configmaps
 * Content-Type: application/yaml      headers that matter
 * @save cm                            directives for the player
 *
 * kind: ConfigMap                     the request's body
 *
 * -> 201                              the answer: status, headers that matter, body
 *
 * kind: ConfigMap
 * ```
 *
 * Bodies are YAML. Text that is no JSON stands behind `| `; the values of a
 * stream are YAML documents, parted by `---`.
 *
 * Directives: `@as USER` sends that user's token (`admin` else; `nobody` sends
 * none). `@save NAME` lets later steps write `${NAME.metadata.uid}` for what
 * the answer held. `@raw` sends the body as it stands; else it travels as
 * JSON. `@events N` reads a stream of JSON
 * values until N have come or it ends. `@view NAME ARG…` reduces a large
 * answer (see views.ts). `@until PATH == VALUE` asks again until it is so.
 * `@after MS` waits before it asks. The step `COMPACT /` makes the server forget what was before.
 */
export interface Step {
  readonly title: string;
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly directives: ReadonlyMap<string, string>;
  readonly body: string | undefined;
  readonly answer: AnswerText | undefined;
}

/** An answer as the file holds it. */
export interface AnswerText {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Empty where there is none. */
  readonly body: string;
}

export interface Scenario {
  /** As in `kube/configmap`: the path below test/golden, without its ending. */
  readonly name: string;
  readonly about: readonly string[];
  readonly settings: ReadonlyMap<string, string>;
  readonly steps: readonly Step[];
}

const DIRECTIVES = new Set(['as', 'save', 'raw', 'events', 'view', 'until', 'frames', 'after']);

/**
 * Reads a golden file.
 * @throws Error that names the file and line where the text is not of the form above
 */
export function parseScenario(name: string, text: string): Scenario {
  const lines = text.split('\n');
  const fail = (at: number, why: string): never => {
    throw new Error(`${name}.golden:${at + 1}: ${why}`);
  };
  let at = 0;
  const about: string[] = [];
  const settings = new Map<string, string>();
  for (; at < lines.length && !lines[at]!.startsWith('== '); at++) {
    const line = lines[at]!;
    if (line === '') continue;
    if (line.startsWith('#')) about.push(line.replace(/^# ?/, ''));
    else {
      const found = /^(\w+): (.+)$/.exec(line) ?? fail(at, `expected a setting or a comment, found ${JSON.stringify(line)}`);
      settings.set(found[1]!, found[2]!);
    }
  }
  const steps: Step[] = [];
  const titles = new Set<string>();
  while (at < lines.length) {
    const title = lines[at]!.slice(3).trim();
    if (titles.has(title)) fail(at, `two steps are called ${JSON.stringify(title)}`);
    titles.add(title);
    const [method, target, ...rest] = (lines[++at] ?? '').split(' ');
    if (!/^[A-Z]+$/.test(method ?? '') || target === undefined || !target.startsWith('/') || rest.length > 0) {
      fail(at, 'expected a method and a path');
    }
    const headers: [string, string][] = [];
    const directives = new Map<string, string>();
    for (at++; at < lines.length && lines[at] !== '' && !boundary(lines[at]!); at++) {
      const line = lines[at]!;
      const directive = /^@(\w+)(?: (.*))?$/.exec(line);
      if (directive !== null) {
        if (!DIRECTIVES.has(directive[1]!)) fail(at, `there is no directive @${directive[1]}`);
        directives.set(directive[1]!, directive[2] ?? '');
      } else headers.push(header(line) ?? fail(at, `expected a header or directive, found ${JSON.stringify(line)}`));
    }
    const [body, afterBody] = block(lines, at, boundary);
    at = afterBody;
    let answer: AnswerText | undefined = undefined;
    if (at < lines.length && lines[at]!.startsWith('-> ')) {
      const status = Number(lines[at]!.slice(3));
      if (!Number.isInteger(status)) fail(at, 'expected a status');
      const answered: [string, string][] = [];
      for (at++; at < lines.length && lines[at] !== '' && !lines[at]!.startsWith('== '); at++) {
        answered.push(header(lines[at]!) ?? fail(at, 'expected a header of the answer'));
      }
      const [answerBody, afterAnswer] = block(lines, at, (line) => line.startsWith('== '));
      at = afterAnswer;
      answer = { status, headers: answered, body: answerBody };
    }
    steps.push({ title, method: method!, target: target!, headers, directives, body: body === '' ? undefined : body, answer });
  }
  return { name, about, settings, steps };
}

const boundary = (line: string): boolean => line.startsWith('-> ') || line.startsWith('== ');

function header(line: string): [string, string] | undefined {
  const found = /^([A-Za-z][\w-]*):(?: (.*))?$/.exec(line);
  return found === null ? undefined : [found[1]!, found[2] ?? ''];
}

/** The lines up to an end, without the empty ones around them. */
function block(lines: readonly string[], from: number, isEnd: (line: string) => boolean): [text: string, end: number] {
  let end = from;
  while (end < lines.length && !isEnd(lines[end]!)) end++;
  return [lines.slice(from, end).join('\n').replace(/^\n+|\n+$/g, ''), end];
}

/** Writes a golden file: what parseScenario reads. */
export function formatScenario(scenario: Scenario): string {
  const out = scenario.about.map((line) => (line === '' ? '#' : `# ${line}`));
  if (scenario.settings.size > 0) out.push('', ...[...scenario.settings].map(([key, value]) => `${key}: ${value}`));
  for (const step of scenario.steps) {
    out.push('', `== ${step.title}`, `${step.method} ${step.target}`);
    for (const [name, value] of step.headers) out.push(`${name}: ${value}`.trimEnd());
    for (const [name, value] of step.directives) out.push(`@${name} ${value}`.trimEnd());
    if (step.body !== undefined) out.push('', step.body);
    if (step.answer === undefined) continue;
    out.push('', `-> ${step.answer.status}`);
    for (const [name, value] of step.answer.headers) out.push(`${name}: ${value}`.trimEnd());
    if (step.answer.body !== '') out.push('', step.answer.body);
  }
  return `${out.join('\n')}\n`;
}
