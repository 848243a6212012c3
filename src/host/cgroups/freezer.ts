import type { Clock } from '../../lib/clock.ts';

export type FreezerState = 'FROZEN' | 'THAWED';

const LONGEST_PAUSE_MS = 50;
/** So many looks at a group that does not freeze, until it is thawed in between. */
const LOOKS_BEFORE_THAW = 8;

/**
 * Brings a control group of version 1 into a state, and waits until it is there. The kernel has no event for this: a group goes through
 * FREEZING, and may need to be told again (freezer-subsystem.txt). One in which a process waits for another that is frozen already never
 * gets through: it is let go on for a moment.
 * @returns false when it was not there within `waitMs`; a group that was to freeze is thawed then
 */
export async function settleFreezer(
  group: { read(): Promise<string | undefined>; write(state: FreezerState): Promise<void> },
  state: FreezerState,
  clock: Pick<Clock, 'monotonic' | 'sleep'>,
  waitMs: number,
): Promise<boolean> {
  const end = clock.monotonic() + waitMs;
  await group.write(state);
  for (let looks = 1; (await group.read()) !== state; looks++) {
    const over = clock.monotonic() > end;
    if (state === 'FROZEN' && (over || looks % LOOKS_BEFORE_THAW === 0)) await group.write('THAWED');
    if (over) return false;
    await clock.sleep(Math.min(2 ** (looks - 1), LONGEST_PAUSE_MS));
    await group.write(state);
  }
  return true;
}
