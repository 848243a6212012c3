import { close, constants, fdatasync, fsync, fstat, ftruncate, open, read, write } from 'node:fs';
import { mkdir, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** An open file. Positions and sizes are in bytes. */
export interface LogFile {
  size(): Promise<number>;
  /** Reads up to the length of `into`; returns how many bytes there were. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes`, or rejects (some of them may be written then). */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Writes all of `bytes`, and resolves when they would survive a power failure: a write and its sync in one step, for a file that is not `loose`. */
  append(bytes: Uint8Array, position: number): Promise<void>;
  /** Resolves when content and size would survive a power failure. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/** The folder that holds a store: what the log needs of a file system, so that a test can put one in its place that loses power. */
export interface LogFolder {
  /** For messages. */
  readonly path: string;
  names(): Promise<string[]>;
  /**
   * A new file, readable by its owner alone. Rejects where the name is taken.
   * @param loose many writes go into it before one sync
   */
  create(name: string, loose?: 'loose'): Promise<LogFile>;
  open(name: string): Promise<LogFile>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Resolves when creations, renames and removals would survive a power failure. */
  sync(): Promise<void>;
}

const openAsync = promisify(open);
const closeAsync = promisify(close);
const fsyncAsync = promisify(fsync);
const fdatasyncAsync = promisify(fdatasync);
const fstatAsync = promisify(fstat);
const ftruncateAsync = promisify(ftruncate);

async function syncFolder(path: string): Promise<void> {
  const fd = await openAsync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await fsyncAsync(fd);
  } finally {
    await closeAsync(fd);
  }
}

/** @param synced the file was opened with O_DSYNC: what is written is on the disk */
function fileOf(fd: number, synced: boolean): LogFile {
  const file: LogFile = {
    size: async () => (await fstatAsync(fd)).size,
    read: (into, position) =>
      new Promise((resolve, reject) => {
        read(fd, into, 0, into.length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    write: (bytes, position) =>
      new Promise((resolve, reject) => {
        const writeFrom = (from: number): void => {
          write(fd, bytes, from, bytes.length - from, position + from, (error, count) => {
            if (error !== null) reject(error);
            // A short write: the disk is about to be full, or the process got a signal. The next one tells.
            else if (from + count < bytes.length) writeFrom(from + count);
            else resolve();
          });
        };
        writeFrom(0);
      }),
    append: async (bytes, position) => {
      await file.write(bytes, position);
      if (!synced) await file.sync();
    },
    sync: () => fdatasyncAsync(fd),
    truncate: (size) => ftruncateAsync(fd, size),
    close: () => closeAsync(fd),
  };
  return file;
}

/** A folder of the machine, made (mode 0700) where it is missing, durably. */
export async function openFolder(path: string): Promise<LogFolder> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made !== undefined) {
    // Each new folder is an entry in its parent, which must be synced as well.
    for (let folder = path; folder.length >= made.length; folder = dirname(folder)) await syncFolder(dirname(folder));
  }
  return {
    path,
    names: () => readdir(path),
    create: async (name, loose) =>
      fileOf(
        await openAsync(
          join(path, name),
          constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (loose === undefined ? constants.O_DSYNC : 0),
          0o600,
        ),
        loose === undefined,
      ),
    open: async (name) => fileOf(await openAsync(join(path, name), constants.O_RDWR | constants.O_DSYNC), true),
    rename: (from, to) => rename(join(path, from), join(path, to)),
    remove: (name) => unlink(join(path, name)),
    sync: () => syncFolder(path),
  };
}
