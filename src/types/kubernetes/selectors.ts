import { LongshoreError } from '../../lib/errors.ts';
import type { LabelSelector } from './generated/meta-v1.ts';

type Labels = Readonly<Record<string, string>>;

export type LabelOperator = 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

/** One condition on labels. `=` is `in` with one value, `!=` is `notin` with one. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type LabelMatcher = (labels: Labels | undefined) => boolean;

const NO_LABELS: Labels = {};

/**
 * The conditions of a selector text, as in `app=web,tier in (a, b),!legacy`. The empty text has none.
 * @throws LongshoreError `invalid`, worded as the API server does
 */
export function parseLabelSelector(text: string): readonly LabelRequirement[] {
  return new SelectorParser(text).requirements();
}

/** All conditions must hold. A label that is absent satisfies `notin` and `!` alone. */
export function requirementsMatcher(requirements: readonly LabelRequirement[]): LabelMatcher {
  if (requirements.length === 0) return () => true;
  const tests = requirements.map(requirementMatcher);
  if (tests.length === 1) return (labels) => tests[0]!(labels ?? NO_LABELS);
  return (labels) => {
    const own = labels ?? NO_LABELS;
    for (const test of tests) if (!test(own)) return false;
    return true;
  };
}

/** Matcher of a LabelSelector object: an absent one matches nothing, an empty one everything. */
export function labelSelectorMatcher(selector: LabelSelector | undefined): LabelMatcher {
  if (selector === undefined) return () => false;
  return requirementsMatcher(labelSelectorRequirements(selector));
}

const OPERATORS: Readonly<Record<string, LabelOperator>> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

/** @throws LongshoreError `invalid` for an unknown operator */
function labelSelectorRequirements(selector: LabelSelector): readonly LabelRequirement[] {
  const requirements: LabelRequirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({ key, operator: 'in', values: [value] }));
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
    if (known === undefined) throw new LongshoreError('invalid', `"${operator}" is not a valid label selector operator`);
    requirements.push({ key, operator: known, values: values ?? [] });
  }
  return requirements;
}

/** The selector as text, keys in order: what `status.selector` of a Scale holds. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  if (selector === undefined) return '<none>';
  const requirements = [...labelSelectorRequirements(selector)].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return formatRequirements(requirements, new Set(Object.keys(selector.matchLabels ?? {})));
}

/** @param equal keys whose single value is written with `=` */
function formatRequirements(requirements: readonly LabelRequirement[], equal?: ReadonlySet<string>): string {
  return requirements.map(({ key, operator, values }) => {
    switch (operator) {
      case 'exists': return key;
      case '!': return `!${key}`;
      case 'gt': return `${key}>${values[0]}`;
      case 'lt': return `${key}<${values[0]}`;
      case 'in': return values.length === 1 && (equal === undefined || equal.has(key)) ? `${key}=${values[0]}` : `${key} in (${[...values].sort().join(',')})`;
      case 'notin': return `${key} notin (${[...values].sort().join(',')})`;
    }
  }).join(',');
}

function requirementMatcher({ key, operator, values }: LabelRequirement): (labels: Labels) => boolean {
  const has = (labels: Labels): boolean => Object.hasOwn(labels, key);
  switch (operator) {
    case 'exists': return has;
    case '!': return (labels) => !has(labels);
    case 'in': {
      if (values.length === 1) {
        const [only] = values;
        return (labels) => labels[key] === only && has(labels);
      }
      const set = new Set(values);
      return (labels) => has(labels) && set.has(labels[key]!);
    }
    case 'notin': {
      const set = new Set(values);
      return (labels) => !has(labels) || !set.has(labels[key]!);
    }
    case 'gt': case 'lt': {
      const bound = BigInt(values[0] ?? '0');
      return (labels) => {
        const value = has(labels) ? labels[key]! : '';
        if (!/^[+-]?\d{1,19}$/.test(value)) return false;
        const number = BigInt(value.replace('+', ''));
        return operator === 'gt' ? number > bound : number < bound;
      };
    }
  }
}

/** One condition of a field selector. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** `metadata.name=a,spec.nodeName!=b`; a backslash escapes comma, equals sign and itself. @throws LongshoreError `invalid` */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === '\\') at++;
    else if (at === text.length || text[at] === ',') {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return terms.filter((term) => term !== '').map(fieldRequirement);
}

function fieldRequirement(term: string): FieldRequirement {
  for (let at = 0; at < term.length; at++) {
    const width = term.startsWith('!=', at) || term.startsWith('==', at) ? 2 : term[at] === '=' ? 1 : 0;
    if (term[at] === '\\') at++;
    else if (width > 0) {
      return { field: term.slice(0, at), operator: term[at] === '!' ? '!=' : '=', value: unescape(term.slice(at + width)) };
    }
  }
  throw new LongshoreError('invalid', `invalid selector: '${term}'; can't understand '${term}'`);
}

function unescape(value: string): string {
  return value.replace(/\\(.?)|[,=]/gs, (found, next: string | undefined) => {
    if (found[0] !== '\\') throw new LongshoreError('invalid', `invalid field selector: unescaped ${found} in value '${value}'`);
    if (next !== '\\' && next !== ',' && next !== '=') {
      throw new LongshoreError('invalid', `invalid field selector: invalid escape sequence in '${value}'`);
    }
    return next;
  });
}

interface Token {
  readonly kind: 'end' | 'word' | '(' | ')' | ',' | '!' | '=' | '==' | '!=' | '<' | '>';
  readonly text: string;
}

const END: Token = { kind: 'end', text: '' };

class SelectorParser {
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(text: string) {
    // Words run until one of the special characters; there is no escape.
    for (const [found] of text.matchAll(/[()]|,|!=|!|==|=|<|>|[^\s()!=<>,]+/g)) {
      this.#tokens.push(/^[()!=<>,]/.test(found) ? { kind: found as Token['kind'], text: found } : { kind: 'word', text: found });
    }
  }

  requirements(): LabelRequirement[] {
    const out: LabelRequirement[] = [];
    if (this.#peek().kind === 'end') return out;
    for (;;) {
      out.push(this.#requirement());
      const next = this.#next();
      if (next.kind === 'end') break;
      if (next.kind !== ',') this.#fail(`found '${next.text}', expected: ',' or 'end of string'`);
      if (this.#peek().kind !== 'word' && this.#peek().kind !== '!') {
        this.#fail(`found '${this.#peek().text}', expected: identifier after ','`);
      }
    }
    return out.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }

  #requirement(): LabelRequirement {
    const negated = this.#peek().kind === '!';
    if (negated) this.#next();
    const key = this.#next();
    if (key.kind !== 'word') this.#fail(`found '${key.text}', expected: identifier`);
    checkKey(key.text);
    if (negated) return { key: key.text, operator: '!', values: [] };
    const operator = this.#peek();
    if (operator.kind === 'end' || operator.kind === ',') return { key: key.text, operator: 'exists', values: [] };
    this.#next();
    if (operator.kind === 'word' && (operator.text === 'in' || operator.text === 'notin')) return this.#set(key.text, operator.text);
    switch (operator.kind) {
      case '=': case '==': return { key: key.text, operator: 'in', values: [this.#value(key.text)] };
      case '!=': return { key: key.text, operator: 'notin', values: [this.#value(key.text)] };
      case '<': case '>': {
        const value = this.#value(key.text);
        if (!/^[+-]?\d{1,19}$/.test(value)) {
          this.#fail(`values[0][${key.text}]: Invalid value: "${value}": for 'Gt', 'Lt' operators, the value must be an integer`);
        }
        return { key: key.text, operator: operator.kind === '>' ? 'gt' : 'lt', values: [value.replace('+', '')] };
      }
      default: return this.#fail(`found '${operator.text}', expected: in, notin, =, ==, !=, gt, lt`);
    }
  }

  #set(key: string, operator: 'in' | 'notin'): LabelRequirement {
    if (this.#next().kind !== '(') this.#fail(`found '${this.#tokens[this.#at - 1]?.text ?? ''}', expected: '('`);
    const values = new Set<string>();
    for (;;) {
      const token = this.#next();
      if (token.kind === 'word') {
        checkValue(key, token.text);
        values.add(token.text);
        const after = this.#next();
        if (after.kind === ')') break;
        if (after.kind !== ',') this.#fail(`found '${after.text}', expected: ',' or ')'`);
        if (this.#peek().kind === ')') values.add('');
      } else if (token.kind === ')') {
        if (values.size === 0) values.add('');
        break;
      } else if (token.kind === ',') values.add('');
      else this.#fail(`found '${token.text}', expected: ',', ')' or identifier`);
    }
    return { key, operator, values: [...values] };
  }

  #value(key: string): string {
    const token = this.#peek();
    if (token.kind === 'end' || token.kind === ',') return '';
    this.#next();
    if (token.kind !== 'word') this.#fail(`found '${token.text}', expected: identifier`);
    checkValue(key, token.text);
    return token.text;
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? END;
  }

  #next(): Token {
    return this.#tokens[this.#at++] ?? END;
  }

  #fail(why: string): never {
    throw new LongshoreError('invalid', `unable to parse requirement: ${why}`);
  }
}

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

function checkKey(key: string): void {
  const slash = key.indexOf('/');
  const [prefix, name] = slash < 0 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
  if (
    NAME.test(name) &&
    (prefix === undefined || (prefix.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(prefix)))
  ) {
    return;
  }
  throw new LongshoreError(
    'invalid',
    `unable to parse requirement: <nil>: Invalid value: "${key}": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  );
}

function checkValue(key: string, value: string): void {
  if (value === '' || NAME.test(value)) return;
  throw new LongshoreError(
    'invalid',
    value.length > 63
      ? `unable to parse requirement: values[0][${key}]: Invalid value: "${value}": must be no more than 63 bytes`
      : `unable to parse requirement: values[0][${key}]: Invalid value: "${value}": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  );
}
