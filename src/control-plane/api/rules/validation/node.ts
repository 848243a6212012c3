import type { Node, Taint } from '../../../../types/kubernetes/generated/core-v1.ts';
import { isV6, validCIDR } from './addresses.ts';
import { each, same, validQualifiedName } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { labelValue } from './formats.ts';
import { rulesOf } from './kind.ts';
import { TAINT_EFFECTS } from './pod/scheduling.ts';
import { validateAmount } from './resources.ts';

const SPEC = new Path('spec');
const STATUS = new Path('status');
/** As upstream words it, although taints are in the spec. */
const TAINTS = new Path('metadata').child('taints');

function validateTaints(taints: readonly Taint[] | undefined, errors: Errors): void {
  const seen = new Set<string>();
  each(taints).forEach((taint, n) => {
    const at = TAINTS.index(n);
    validQualifiedName(taint.key, errors, at.child('key'));
    const wrong = labelValue(taint.value ?? '');
    if (wrong.length > 0) errors.invalid(at.child('value'), taint.value, wrong.join(';'));
    errors.oneOf(at.child('effect'), taint.effect, TAINT_EFFECTS);
    const key = `${taint.effect}/${taint.key}`;
    if (seen.has(key)) {
      const told = { Key: taint.key, Value: taint.value ?? '', Effect: taint.effect, TimeAdded: taint.timeAdded ?? null };
      errors.list.push({
        type: 'FieldValueDuplicate',
        field: String(at),
        message: `Duplicate value: ${JSON.stringify(told)}: taints must be unique by key and effect pair`,
      });
    }
    seen.add(key);
  });
}

function validateAmounts(node: Node, errors: Errors): void {
  for (const list of ['capacity', 'allocatable'] as const) {
    const amounts = node.status?.[list];
    for (const name in amounts) validateAmount(name, amounts[name]!, errors, STATUS.child(list).child(name));
  }
}

function create(node: Node, errors: Errors): void {
  validateTaints(node.spec?.taints, errors);
  validateAmounts(node, errors);
  const ranges = each(node.spec?.podCIDRs);
  const before = errors.list.length;
  ranges.forEach((range, n) => validCIDR(range, errors, SPEC.child('podCIDRs').index(n)));
  if (ranges.length < 2) return;
  const unreadable = ranges.findIndex((_range, n) =>
    errors.list
      .slice(before)
      .some((error) => error.field === String(SPEC.child('podCIDRs').index(n)) && error.message.includes('must be a valid CIDR')),
  );
  if (unreadable >= 0) {
    errors.internal(
      SPEC.child('podCIDRs'),
      `invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[${unreadable}]: <nil> (invalid CIDR address: ${ranges[unreadable]})`,
    );
  }
  if (unreadable >= 0 || ranges.length > 2 || isV6(ranges[0]!) === isV6(ranges[1]!)) {
    errors.invalid(SPEC.child('podCIDRs'), ranges, 'may specify no more than one CIDR for each IP family');
  }
}

function update(node: Node, old: Node, errors: Errors): void {
  validateAmounts(node, errors);
  const addresses = each(node.status?.addresses);
  addresses.forEach((address, n) => {
    if (addresses.findIndex((other) => same(other, address)) < n) {
      errors.duplicate(STATUS.child('addresses').index(n), { Type: address.type, Address: address.address });
    }
  });
  const [ranges, before] = [each(node.spec?.podCIDRs), each(old.spec?.podCIDRs)];
  if (before.length > 0 && !same(ranges, before)) {
    errors.forbidden(SPEC.child('podCIDRs'), 'node updates may not change podCIDR except from "" to valid');
  } else if (before.length === 0) {
    ranges.forEach((range, n) => validCIDR(range, errors, SPEC.child('podCIDRs').index(n)));
  }
  const provider = old.spec?.providerID ?? '';
  if (provider !== '' && provider !== node.spec?.providerID) {
    errors.forbidden(SPEC.child('providerID'), 'node updates may not change providerID except from "" to valid');
  }
  validateTaints(node.spec?.taints, errors);
}

export const NODE = rulesOf<Node>({ create, update, subresources: { status: update } });
