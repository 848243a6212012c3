import type { LogFile, LogFolder } from './files.ts';

/** The unit that a disk writes whole or not at all. */
const SECTOR = 512;

type Change = { readonly type: 'write'; readonly at: number; readonly bytes: Buffer } | { readonly type: 'truncate'; readonly size: number };

interface Inode {
  /** What would survive a power failure for certain. */
  durable: Buffer;
  current: Buffer;
  /** Changes since the last sync; any part of them may survive. */
  unsynced: Change[];
}

/** What a fault plan does to one call. */
export type Fault = 'power' | 'full' | 'short' | 'io' | undefined;

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

function applied(content: Buffer, change: Change): Buffer {
  if (change.type === 'truncate') {
    return change.size <= content.length
      ? Buffer.from(content.subarray(0, change.size))
      : Buffer.concat([content, Buffer.alloc(change.size - content.length)]);
  }
  const size = Math.max(content.length, change.at + change.bytes.length);
  const out = Buffer.concat([content, Buffer.alloc(size - content.length)]);
  change.bytes.copy(out, change.at);
  return out;
}

/**
 * A folder on a disk that can lose power: then of what was not synced any
 * sectors may be there or not, and new, renamed and removed names that were not
 * synced likewise, in order. For tests only.
 */
export class FakeDisk implements LogFolder {
  readonly path = '/fake';
  /** Counts the calls, each of which `fault` may make fail. */
  calls = 0;
  fault: (call: number, name: string, verb: string) => Fault = () => undefined;
  /** Makes syncs do nothing: a store on such a disk must be caught losing writes. */
  ignoreSync = false;
  #dead = false;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #unsyncedNames: Map<string, Inode>[] = [];

  async names(): Promise<string[]> {
    await this.#call('', 'names');
    return [...this.#names.keys()];
  }

  async create(name: string): Promise<LogFile> {
    await this.#call(name, 'create');
    if (this.#names.has(name)) throw systemError('EEXIST');
    const inode: Inode = { durable: Buffer.alloc(0), current: Buffer.alloc(0), unsynced: [] };
    this.#rename(() => this.#names.set(name, inode));
    return this.#file(name, inode);
  }

  async open(name: string): Promise<LogFile> {
    await this.#call(name, 'open');
    const inode = this.#names.get(name);
    if (inode === undefined) throw systemError('ENOENT');
    return this.#file(name, inode);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call(from, 'rename');
    const inode = this.#names.get(from);
    if (inode === undefined) throw systemError('ENOENT');
    this.#rename(() => {
      this.#names.delete(from);
      this.#names.set(to, inode);
    });
  }

  async remove(name: string): Promise<void> {
    await this.#call(name, 'remove');
    if (!this.#names.has(name)) throw systemError('ENOENT');
    this.#rename(() => this.#names.delete(name));
  }

  async sync(): Promise<void> {
    await this.#call('', 'sync folder');
    if (this.ignoreSync) return;
    this.#durableNames = new Map(this.#names);
    this.#unsyncedNames = [];
  }

  /** The disk as it comes up after the power failure, `random` (a whole number below its argument) deciding what survived. */
  afterPowerLoss(random: (below: number) => number): FakeDisk {
    this.#dead = true;
    const disk = new FakeDisk();
    const survivors = random(this.#unsyncedNames.length + 1);
    const names = survivors === 0 ? this.#durableNames : this.#unsyncedNames[survivors - 1]!;
    for (const [name, inode] of names) {
      let content = inode.durable;
      for (const change of inode.unsynced) {
        if (change.type === 'truncate') {
          if (random(2) === 0) content = applied(content, change);
          continue;
        }
        for (let at = 0; at < change.bytes.length; ) {
          const end = Math.min(change.bytes.length, (Math.floor((change.at + at) / SECTOR) + 1) * SECTOR - change.at);
          if (random(3) !== 0) content = applied(content, { type: 'write', at: change.at + at, bytes: change.bytes.subarray(at, end) });
          at = end;
        }
      }
      const fresh: Inode = { durable: content, current: content, unsynced: [] };
      disk.#names.set(name, fresh);
      disk.#durableNames.set(name, fresh);
    }
    return disk;
  }

  #rename(change: () => void): void {
    change();
    this.#unsyncedNames.push(new Map(this.#names));
  }

  /** Every call takes a turn of the event loop, as a real one does. */
  async #call(name: string, verb: string): Promise<Fault> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#dead) throw systemError('EIO');
    const fault = this.fault(this.calls++, name, verb);
    if (fault === 'power') this.#dead = true;
    if (fault === 'power' || fault === 'io') throw systemError('EIO');
    if (fault === 'full') throw systemError('ENOSPC');
    return fault;
  }

  #file(name: string, inode: Inode): LogFile {
    const change = (step: Change): void => {
      inode.current = applied(inode.current, step);
      inode.unsynced.push(step);
    };
    const file: LogFile = {
      size: async () => {
        await this.#call(name, 'size');
        return inode.current.length;
      },
      read: async (into, position) => {
        await this.#call(name, 'read');
        return inode.current.copy(into, 0, position, position + into.length);
      },
      write: async (bytes, position) => {
        const copy = Buffer.from(bytes);
        const written = this.#call(name, 'write');
        try {
          if ((await written) === 'short') {
            change({ type: 'write', at: position, bytes: copy.subarray(0, copy.length >>> 1) });
            throw systemError('ENOSPC');
          }
        } catch (error) {
          // Power failed during the write: all of it may be on its way.
          if (this.#dead) inode.unsynced.push({ type: 'write', at: position, bytes: copy });
          throw error;
        }
        change({ type: 'write', at: position, bytes: copy });
      },
      sync: async () => {
        await this.#call(name, 'sync');
        if (this.ignoreSync) return;
        inode.durable = inode.current;
        inode.unsynced = [];
      },
      truncate: async (size) => {
        await this.#call(name, 'truncate');
        change({ type: 'truncate', size });
      },
      append: async (bytes, position) => {
        await file.write(bytes, position);
        await file.sync();
      },
      close: () => Promise.resolve(),
    };
    return file;
  }
}
