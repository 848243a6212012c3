import { command, OUTPUT } from './command.ts';
import { printData } from './data.ts';

const MARKS = { ok: '✓', warn: '!', fail: '✗' } as const;

export const cli = command(
  {
    about:
      'Checks this machine, and how it stands with the cluster that it has joined, and names what to fix. Changes nothing. Exit code 1 when something that is needed is missing.',
    flags: { output: OUTPUT },
  },
  async (context, { output }) => {
    const { probeMachine } = await import('../app/doctor.ts');
    const findings = await probeMachine(context.home);
    await printData(context, output, {
      value: findings,
      names: findings.filter(({ status }) => status !== 'ok').map(({ name }) => name),
      text: findings
        .map(
          ({ name, status, detail, remedy }) =>
            `${MARKS[status]} ${name}: ${detail}${status !== 'ok' && remedy ? `\n    → ${remedy}` : ''}\n`,
        )
        .join(''),
    });
    const missing = findings.filter(({ status }) => status === 'fail').length;
    if (missing > 0) context.talk.say(`longshore: ${missing} needed thing${missing === 1 ? ' is' : 's are'} missing`);
    return missing === 0 ? 0 : 1;
  },
);
