import { open, readFile } from 'node:fs/promises';
import type { Clock } from '../../lib/clock.ts';

/** A runtime that has not moved its process by then is in no hurry. */
const WITHIN_MS = 250;
/** The lock stays at hand for one grace period after its last use, which is longer than this. */
const AGAIN_MS = 7;
/** More starts than this at a time keep the lock at hand by themselves. */
const ENOUGH = 4;

/**
 * Has the kernel ready for a process to be moved between groups, as every start and exec does. Whoever moves one takes a
 * lock for writing that all forks and exits read (cgroup_threadgroup_rwsem), and the first to take it after a while
 * waits for an RCU grace period: 10 to 15 ms in the middle of runc's work. So we take it
 * while the runtime still starts, by moving ourselves to where we are.
 */
export class MovesAhead {
  readonly #clock: Clock;
  readonly #find: () => Promise<string | undefined>;
  /** When each expectation is given up. */
  readonly #expected = new Set<{ readonly untilMs: number }>();
  #running = false;
  #useless = false;

  /** @param find the file `cgroup.procs` of the group that this process is in now */
  constructor(clock: Clock, find: () => Promise<string | undefined>) {
    this.#clock = clock;
    this.#find = find;
  }

  /** @returns what to call when the process has been moved */
  expect(): () => void {
    const expectation = { untilMs: this.#clock.monotonic() + WITHIN_MS };
    this.#expected.add(expectation);
    if (!this.#running && !this.#useless) {
      this.#running = true;
      void this.#run().finally(() => (this.#running = false));
    }
    return () => void this.#expected.delete(expectation);
  }

  async #run(): Promise<void> {
    try {
      while (this.#isExpected()) {
        // Found anew every now and then: somebody else may have moved us.
        const path = await this.#find();
        if (path === undefined) throw new Error('no such group');
        await this.#move(path);
      }
    } catch {
      // A group that we may not join, or can't see: starts take as long as they do.
      this.#useless = true;
    }
  }

  async #move(path: string): Promise<void> {
    const file = await open(path, 'r+');
    try {
      const untilMs = this.#clock.monotonic() + WITHIN_MS;
      do {
        if (this.#expected.size <= ENOUGH) await file.write(String(process.pid), 0);
        await this.#clock.sleep(AGAIN_MS);
      } while (this.#isExpected() && this.#clock.monotonic() < untilMs);
    } finally {
      await file.close();
    }
  }

  #isExpected(): boolean {
    const now = this.#clock.monotonic();
    for (const expectation of this.#expected) if (expectation.untilMs <= now) this.#expected.delete(expectation);
    return this.#expected.size > 0;
  }
}

/**
 * The `cgroup.procs` of the group of `membership` (/proc/self/cgroup) in one hierarchy.
 * @param controller of version 1, or '' for version 2's
 */
export function ownGroup(membership: string, controller: string, root: string): string | undefined {
  for (const line of membership.split('\n')) {
    const [, controllers, ...path] = line.split(':');
    if (controllers?.split(',').includes(controller)) return `${root}${path.join(':').replace(/\/$/, '')}/cgroup.procs`;
  }
  return undefined;
}

/** MovesAhead in the hierarchy of a controller that is mounted at `root`. */
export function movesAhead(clock: Clock, controller: string, root: string | undefined): MovesAhead {
  return new MovesAhead(clock, async () => (root === undefined ? undefined : ownGroup(await readFile('/proc/self/cgroup', 'utf8'), controller, root)));
}
