/** What `longshore why` says: a sentence, what it rests on, and what to do next. */
export interface Explanation {
  readonly summary: string;
  readonly details: readonly string[];
  readonly remedy: string | undefined;
}
