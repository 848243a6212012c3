import type { Step } from './case.ts';

/** Asks what a create would do. */
export const tryCreate = (path: string, body: unknown): Step => ({ method: 'POST', path, body, dryRun: true });
export const create = (path: string, body: unknown): Step => ({ method: 'POST', path, body });
/** Asks what an update of an object that the history created would do. */
export const tryPut = (path: string, body: unknown): Step => ({ method: 'PUT', path, body, dryRun: true });
export const put = (path: string, body: unknown): Step => ({ method: 'PUT', path, body });
