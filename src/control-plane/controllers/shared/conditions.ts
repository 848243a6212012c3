/** What conditions of all kinds have in common. */
export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export function conditionOf<C extends Condition>(conditions: readonly C[] | undefined, type: string): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * The conditions with `condition` among them. One that says the same (status
 * and reason) stays as it is; lastTransitionTime moves with the status alone.
 */
export function withCondition<C extends Condition>(conditions: readonly C[] | undefined, condition: C): readonly C[] {
  const present = conditionOf(conditions, condition.type);
  if (present && present.status === condition.status && present.reason === condition.reason) return conditions!;
  const kept =
    present && present.status === condition.status && present.lastTransitionTime
      ? { ...condition, lastTransitionTime: present.lastTransitionTime }
      : condition;
  return [...withoutCondition(conditions, condition.type), kept];
}

export function withoutCondition<C extends Condition>(conditions: readonly C[] | undefined, type: string): readonly C[] {
  return conditions?.filter((condition) => condition.type !== type) ?? [];
}
