import { formatAnswer, parseAnswer } from '../../tools/record/answer.ts';
import { play, type Player } from '../../tools/record/play.ts';
import type { Scenario } from '../../tools/record/scenario.ts';
import { covers, differences, type Difference } from './compare.ts';
import { KNOWN_DIFFERENCES } from './known-differences.ts';

export interface Found extends Difference {
  readonly scenario: string;
  readonly step: string;
}

/** How a difference is written in the list of those that are known. */
export function entryOf({ scenario, step, path }: Pick<Found, 'scenario' | 'step' | 'path'>): string {
  return `${scenario} | ${step} | ${path}`;
}

/**
 * Plays a scenario on one of our servers, and compares every answer with the recorded one.
 * @throws Error for a step that was never recorded
 */
export async function replay(scenario: Scenario, player: Player): Promise<Found[]> {
  const found: Found[] = [];
  for await (const { step, answer } of play(scenario, player)) {
    if (step.answer === undefined) {
      throw new Error(`${scenario.name}, step "${step.title}" has no recorded answer: npm run record -- ${scenario.name}`);
    }
    // What YAML does to a value, it does to both.
    const ours = parseAnswer(formatAnswer(answer));
    for (const difference of differences(parseAnswer(step.answer), ours)) {
      found.push({ ...difference, scenario: scenario.name, step: step.title });
    }
  }
  return found;
}

/** The differences that are not in the list, and the entries of the list that are no differences any more. */
export function review(scenario: string, found: readonly Found[]): { readonly fresh: readonly Found[]; readonly gone: readonly string[] } {
  const known = KNOWN_DIFFERENCES.flatMap(({ at }) => at).filter((entry) => entry.startsWith(`${scenario} | `));
  const isKnown = (entry: string, { step, path, ...rest }: Found): boolean => {
    const [, listedStep, listedPath] = entry.split(' | ');
    return rest.scenario === scenario && (listedStep === '*' || listedStep === step) && covers(listedPath!, path);
  };
  return {
    fresh: found.filter((difference) => !known.some((entry) => isKnown(entry, difference))),
    gone: known.filter((entry) => !found.some((difference) => isKnown(entry, difference))),
  };
}

/** For a failed assertion: what differs and how, or what is listed in vain. */
export function explain({ fresh, gone }: ReturnType<typeof review>): string {
  const lines = fresh.map((difference) => `differs: ${entryOf(difference)}\n  peer: ${shown(difference.peer)}\n  ours: ${shown(difference.ours)}`);
  return [...lines, ...gone.map((entry) => `is right now, take it off test/golden/known-differences.ts: ${entry}`)].join('\n');
}

const LONGEST_SHOWN = 600;

function shown(value: unknown): string {
  if (value === undefined) return '(nothing)';
  const text = JSON.stringify(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
