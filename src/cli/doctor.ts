import { parseArgs } from 'node:util';
import type { CommandContext } from './command.ts';

const MARKS = { ok: '✓', warn: '!', fail: '✗' } as const;

/** Checks the machine; exit code 1 when something that is needed is missing. */
export async function run({ args, print, talk }: CommandContext): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { output: { type: 'string', short: 'o' } } });
  const { probeMachine } = await import('../app/doctor.ts');
  const findings = await probeMachine();
  if (values.output === 'json') print(JSON.stringify(findings, undefined, 2) + '\n');
  else for (const { name, status, detail, remedy } of findings) print(`${MARKS[status]} ${name}: ${detail}${status !== 'ok' && remedy ? `\n    → ${remedy}` : ''}\n`);
  const missing = findings.filter(({ status }) => status === 'fail');
  if (missing.length === 0) return 0;
  talk.say(`longshore: ${missing.length} needed thing${missing.length === 1 ? ' is' : 's are'} missing`);
  return 1;
}
