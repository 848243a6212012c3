import type { DockerSide, KubeSide } from './side.ts';
import type { Stage } from './stage.ts';

/** One figure of one side. */
export interface Measurement {
  readonly value: number;
  /** What else was seen, such as a 99th percentile. */
  readonly note?: string;
}

/** Seconds, MiB and milliseconds are better small, rates big. */
export type Unit = 's' | 'ms' | 'MiB' | '/s';

/** What we promise: a figure of our own, or ours divided by the peer's. */
export type Budget = { readonly kind: 'absolute'; readonly value: number } | { readonly kind: 'ratio'; readonly value: number };

/** A row of the table of budgets. */
export interface Row {
  /** By which `--only` asks for it. */
  readonly name: string;
  readonly what: string;
  readonly unit: Unit;
  readonly budget: Budget;
  /** How often each side is measured, in turns; the median counts. */
  readonly rounds: number;
  /** The peer's figure of an earlier day, for a peer that is not on this machine. */
  readonly recorded?: number;
  ours(stage: Stage): Promise<Measurement>;
  /** Left out where no peer does the same. */
  readonly peer?: (stage: Stage) => Promise<Measurement>;
}

type Common = Pick<Row, 'name' | 'what' | 'unit' | 'budget' | 'recorded'> & { readonly rounds?: number };

/** A row that does the same on both Docker engines. */
export function dockerRow(row: Common & { readonly measure: (side: DockerSide, stage: Stage) => Promise<Measurement> }): Row {
  const { measure, ...common } = row;
  return {
    rounds: 1, ...common,
    ours: async (stage) => await measure(await stage.ourDocker(), stage),
    peer: async (stage) => await measure(await stage.peerDocker(), stage),
  };
}

/** A row that does the same on both API servers. */
export function kubeRow(row: Common & { readonly measure: (side: KubeSide, stage: Stage) => Promise<Measurement> }): Row {
  const { measure, ...common } = row;
  return {
    rounds: 1, ...common,
    ours: async (stage) => await measure(await stage.ourKube(), stage),
    peer: async (stage) => await measure(await stage.peerKube(), stage),
  };
}

export const atMost = (value: number): Budget => ({ kind: 'absolute', value });
export const ratio = (value: number): Budget => ({ kind: 'ratio', value });
