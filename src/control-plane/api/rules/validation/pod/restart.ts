import type { Container } from '../../../../../types/kubernetes/generated/core-v1.ts';
import { each } from '../common.ts';
import type { Errors, Path } from '../errors.ts';

const POLICIES = ['Always', 'Never', 'OnFailure'];
const OPERATORS = ['In', 'NotIn'];
const ACTIONS = ['Restart'];

/** Restart policy of a container of its own, and the rules that make exceptions from it. */
export function validateRestartPolicy(container: Pick<Container, 'restartPolicy' | 'restartPolicyRules'>, errors: Errors, path: Path): void {
  const { restartPolicy } = container;
  const rules = each(container.restartPolicyRules);
  if (restartPolicy === undefined) {
    if (rules.length > 0) errors.required(path.child('restartPolicy'), 'must specify restartPolicy when restart rules are used');
  } else if (!POLICIES.includes(restartPolicy)) errors.notSupported(path.child('restartPolicy'), restartPolicy, POLICIES);
  if (rules.length > 20) errors.tooMany(path.child('restartPolicyRules'), rules.length, 20);
  rules.forEach(({ action = '', exitCodes }, n) => {
    const at = path.child('restartPolicyRules').index(n);
    if (!ACTIONS.includes(action)) errors.notSupported(at.child('action'), action, ACTIONS);
    if (exitCodes === undefined) return errors.required(at.child('exitCodes'), 'must be specified');
    if (!OPERATORS.includes(exitCodes.operator ?? '')) {
      errors.notSupported(at.child('exitCodes').child('operator'), exitCodes.operator ?? '', OPERATORS);
    }
    const values = each(exitCodes.values).length;
    if (values > 255) errors.tooMany(at.child('exitCodes').child('values'), values, 255);
  });
}
