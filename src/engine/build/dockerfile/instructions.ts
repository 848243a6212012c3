import type { Heredoc } from './lines.ts';

/** Where an instruction stands, and how progress shows it. */
export interface Position {
  readonly line: number;
  readonly endLine: number;
  /** The instruction with its lines joined. */
  readonly text: string;
}

/** A command: words, or a line for the shell. */
export type Command = { readonly form: 'exec'; readonly args: readonly string[] } | { readonly form: 'shell'; readonly line: string };

export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly id?: string;
  readonly env?: string;
  readonly required: boolean;
  readonly readOnly: boolean;
  readonly sharing: 'shared' | 'private' | 'locked';
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: number;
}

export interface HealthCheck {
  readonly test: readonly string[];
  /** Nanoseconds, as image configurations have them. */
  readonly interval?: number;
  readonly timeout?: number;
  readonly startPeriod?: number;
  readonly startInterval?: number;
  readonly retries?: number;
}

export interface CopyFlags {
  readonly from?: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  readonly checksum?: string;
  readonly keepGitDir: boolean;
  readonly unpack?: boolean;
}

export type Instruction = Position &
  (
    | {
        readonly kind: 'ADD' | 'COPY';
        readonly flags: CopyFlags;
        readonly sources: readonly string[];
        readonly heredocs: readonly Heredoc[];
        readonly destination: string;
      }
    | { readonly kind: 'ARG'; readonly names: readonly { readonly name: string; readonly value: string | undefined }[] }
    | { readonly kind: 'CMD' | 'ENTRYPOINT'; readonly command: Command }
    | { readonly kind: 'ENV' | 'LABEL'; readonly pairs: readonly (readonly [string, string])[] }
    | { readonly kind: 'EXPOSE'; readonly ports: readonly string[] }
    | { readonly kind: 'HEALTHCHECK'; readonly health: HealthCheck }
    | { readonly kind: 'MAINTAINER'; readonly name: string }
    | { readonly kind: 'ONBUILD'; readonly trigger: string }
    | {
        readonly kind: 'RUN';
        readonly command: Command;
        readonly heredocs: readonly Heredoc[];
        readonly mounts: readonly string[];
        readonly network: 'default' | 'none' | 'host';
      }
    | { readonly kind: 'SHELL'; readonly shell: readonly string[] }
    | { readonly kind: 'STOPSIGNAL' | 'USER' | 'WORKDIR'; readonly value: string }
    | { readonly kind: 'VOLUME'; readonly paths: readonly string[] }
  );

export interface Stage extends Position {
  readonly index: number;
  /** In lower case. */
  readonly name: string | undefined;
  readonly base: string;
  readonly platform: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly escape: '\\' | '`';
  readonly syntax: string | undefined;
  /** ARGs before the first FROM. */
  readonly globals: readonly { readonly name: string; readonly value: string | undefined; readonly line: number }[];
  readonly stages: readonly Stage[];
}
