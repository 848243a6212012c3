/**
 * What acquires returns its undo. An undo may be called twice, or after half a
 * set-up, and then does what is left to do.
 */
export type Undo = () => void | Promise<void>;

/** Collects undos and runs them in reverse order, each once. A failing one does not stop the others. */
export class UndoStack {
  #undos: Undo[] = [];

  push(undo: Undo): void {
    this.#undos.push(undo);
  }

  /** Forgets all that was pushed: the set-up is complete and somebody else owns it now. */
  release(): Undo[] {
    return this.#undos.splice(0);
  }

  /** Runs all undos, last first. Throws an AggregateError of what failed, after all have run. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let undo = this.#undos.pop(); undo; undo = this.#undos.pop()) {
      try {
        await undo();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, 'several undos failed');
  }
}
