import type { KubeObject } from '../../../../types/kubernetes/meta.ts';

/** A history of requests that was put to a real kube-apiserver; tools/kube-facts/record-answers.ts writes the answers down. */
export interface RecordedCase {
  readonly name: string;
  readonly steps: readonly Step[];
}

export interface Step {
  readonly method: 'POST' | 'PUT' | 'PATCH';
  /** `{ns}` stands for the namespace of the case. */
  readonly path: string;
  readonly body: unknown;
  readonly type?: 'apply' | 'merge' | 'strategic' | 'json';
  readonly manager?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

export interface Answer {
  readonly code: number;
  /** Without uids, versions and times. */
  readonly object?: KubeObject;
  readonly message?: string;
  readonly causes?: readonly { readonly reason: string; readonly message: string; readonly field: string }[];
  readonly warnings?: readonly string[];
}
