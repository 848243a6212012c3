import { LongshoreError } from '../../../lib/errors.ts';
import { hexId } from '../../../lib/random.ts';
import type { Random } from '../../../lib/random.ts';
import type { ExecSession } from '../../runtime/runtime.ts';
import { DetachKeys } from './detach-keys.ts';

export interface ExecConfig {
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  DetachKeys?: string;
  Tty?: boolean;
  Env?: string[] | null;
  Cmd?: string[] | null;
  Privileged?: boolean;
  User?: string;
  WorkingDir?: string;
  ConsoleSize?: [number, number] | null;
}

export interface ExecRecord {
  readonly id: string;
  readonly containerId: string;
  readonly config: ExecConfig;
  readonly keys: DetachKeys;
  session: ExecSession | undefined;
  started: boolean;
  pid: number | undefined;
  exitCode: number | undefined;
}

/** Finished ones are kept so long, for the client that asks for the exit code. */
const KEPT_FINISHED = 512;
/** Created but never started ones go, oldest first, beyond this. */
const LARGEST = 4096;

/** The exec sessions that clients have made. They live as long as this process, as their connections do. */
export class ExecRegistry {
  readonly #records = new Map<string, ExecRecord>();
  readonly #finished: string[] = [];
  readonly #random: Random;

  constructor(options: { readonly random: Random }) {
    this.#random = options.random;
  }

  /** @throws `invalid` for detach keys that are none */
  add(containerId: string, config: ExecConfig): ExecRecord {
    const keys = new DetachKeys(config.DetachKeys || undefined);
    if (this.#records.size >= LARGEST) {
      for (const [id, record] of this.#records) {
        if (record.started && record.exitCode === undefined) continue;
        this.#records.delete(id);
        break;
      }
    }
    const record: ExecRecord = { id: hexId(this.#random), containerId, config, keys, session: undefined, started: false, pid: undefined, exitCode: undefined };
    this.#records.set(record.id, record);
    return record;
  }

  /** @throws `not-found` */
  get(id: string): ExecRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new LongshoreError('not-found', `No such exec instance: ${id}`, { object: `exec ${id}` });
    return record;
  }

  finish(record: ExecRecord, exitCode: number): void {
    record.exitCode = exitCode;
    record.session = undefined;
    this.#finished.push(record.id);
    if (this.#finished.length > KEPT_FINISHED) this.#records.delete(this.#finished.shift()!);
  }

  /** Those that run in a container; null, as Docker has it, when there are none. */
  idsOf(containerId: string): string[] | null {
    const ids = [...this.#records.values()].filter((record) => record.containerId === containerId && record.session !== undefined).map((record) => record.id);
    return ids.length === 0 ? null : ids;
  }
}
