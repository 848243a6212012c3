import type { RecordedCase } from './case.ts';
export const CASES: readonly RecordedCase[] = [];
