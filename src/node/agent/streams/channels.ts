import type { Readable, Writable } from 'node:stream';

/**
 * The streams of one exec or attach, whatever protocol carries them: what the
 * client asked for and got.
 */
export interface RemoteStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  /** Terminal sizes as they come. */
  onResize(listener: (columns: number, rows: number) => void): void;
  /** Ends the session with a Status, as the protocol's error channel carries it; resolves when it has been handed to the connection. */
  finish(status: RemoteStatus): Promise<void>;
  /** The client is gone. */
  readonly closed: Promise<void>;
  destroy(): void;
}

/** meta/v1 Status as exec ends with it. */
export interface RemoteStatus {
  readonly metadata: Record<string, never>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes: readonly { readonly reason: string; readonly message: string }[] };
  readonly code?: number;
}

export interface WantedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The status of a command that ended with `code`. */
export function exitStatus(code: number): RemoteStatus {
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {}, status: 'Failure', reason: 'NonZeroExitCode', message: `command terminated with non-zero exit code: exit status ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] }, code: 500,
  };
}

/** The status of a command that could not be run. */
export function failedStatus(message: string): RemoteStatus {
  return { metadata: {}, status: 'Failure', reason: 'InternalError', message, code: 500 };
}
