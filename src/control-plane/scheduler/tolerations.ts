import type { Taint, Toleration } from '../../types/kubernetes/generated/core-v1.ts';

/** Whether one toleration covers one taint (core/v1 Toleration: an empty key with Exists covers all; an empty effect, all effects). */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator ?? 'Equal') {
    case 'Exists': return true;
    case 'Equal': return toleration.key !== undefined && toleration.key !== '' && (toleration.value ?? '') === (taint.value ?? '');
    case 'Gt': return compare(taint.value, toleration.value, (a, b) => a > b);
    case 'Lt': return compare(taint.value, toleration.value, (a, b) => a < b);
    default: return false;
  }
}

function compare(left: string | undefined, right: string | undefined, holds: (a: number, b: number) => boolean): boolean {
  const [a, b] = [Number(left), Number(right)];
  return Number.isInteger(a) && Number.isInteger(b) && holds(a, b);
}

/** The first of `taints` that counts (by effect) and that no toleration covers. */
export function firstUntolerated(taints: readonly Taint[], tolerations: readonly Toleration[], counts: (effect: string) => boolean): Taint | undefined {
  return taints.find((taint) => counts(taint.effect ?? '') && !tolerations.some((toleration) => tolerates(toleration, taint)));
}
