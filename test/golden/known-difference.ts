/** Differences of one cause. */
export interface KnownDifference {
  readonly why: string;
  /** `SCENARIO | STEP | PATH`; the step `*` is any, and a path stands for all that lies below it. */
  readonly at: readonly string[];
}
