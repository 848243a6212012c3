import { Document, parse, parseAllDocuments, stringify, visit } from 'yaml';
import type { AnswerText } from './scenario.ts';

/** An answer, normalised, as values that can be compared. */
export interface Answer {
  readonly status: number;
  /** By lower-case name, those that matter. A header that came several times is joined by `\n`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AnswerBody;
}

export type AnswerBody =
  | { readonly form: 'none' }
  | { readonly form: 'json'; readonly value: unknown }
  | { readonly form: 'stream'; readonly values: readonly unknown[] }
  | { readonly form: 'text'; readonly text: string };

/** Collections up to this many characters of JSON are written on one line. */
const FLOW_CHARACTERS = 96;

/** An answer as the golden file holds it. */
export function formatAnswer(answer: Answer): AnswerText {
  const headers: [string, string][] = [];
  for (const [name, value] of Object.entries(answer.headers)) {
    const title = name.replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase());
    for (const line of value.split('\n')) headers.push([title, line]);
  }
  return { status: answer.status, headers, body: formatBody(answer.body) };
}

function formatBody(body: AnswerBody): string {
  switch (body.form) {
    case 'none': return '';
    case 'json': return formatValue(body.value);
    case 'stream': return body.values.map((value) => `---\n${formatValue(value)}`).join('\n');
    default: return body.text.replace(/\n$/, '').split('\n').map((line) => `| ${line}`.trimEnd()).join('\n');
  }
}

/** YAML, short collections on one line. */
function formatValue(value: unknown): string {
  if (typeof value !== 'object' || value === null) return stringify(value, { lineWidth: 0 }).trimEnd();
  const document = new Document(value, { aliasDuplicateObjects: false });
  visit(document, {
    Collection(key, node) {
      if (key === null && !('items' in node && node.items.length === 0)) return undefined;
      const text = JSON.stringify(node.toJSON());
      if (text.length > FLOW_CHARACTERS || text.includes('\\n')) return undefined;
      node.flow = true;
      return visit.SKIP;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd();
}

/** Reads back what formatAnswer wrote. */
export function parseAnswer(text: AnswerText): Answer {
  const headers: Record<string, string> = {};
  for (const [name, value] of text.headers) {
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}\n${value}` : value;
  }
  return { status: text.status, headers, body: parseBody(text.body) };
}

function parseBody(text: string): AnswerBody {
  if (text === '') return { form: 'none' };
  if (/^\|( |$)/m.test(text.split('\n', 1)[0]!)) {
    return {
      form: 'text',
      text: text
        .split('\n')
        .map((line) => line.replace(/^\| ?/, ''))
        .join('\n'),
    };
  }
  if (text.startsWith('---')) {
    const documents = parseAllDocuments(text);
    return { form: 'stream', values: [...documents].map((document) => document.toJS() as unknown) };
  }
  return { form: 'json', value: parse(text) as unknown };
}
