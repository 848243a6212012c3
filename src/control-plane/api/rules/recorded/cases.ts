import type { RecordedCase } from './case.ts';
import { POD_CASES } from './cases-pods.ts';
import { SERVICE_CASES } from './cases-services.ts';
import { WORKLOAD_CASES } from './cases-workloads.ts';
import { OTHER_CASES } from './cases-others.ts';

/** All histories about defaults and validation. */
export const CASES: readonly RecordedCase[] = [...POD_CASES, ...SERVICE_CASES, ...WORKLOAD_CASES, ...OTHER_CASES];
