/** Runs a named phase; `note` tells what it is about just now. */
export type Phase = <T>(name: string, work: (note: (detail: string) => void) => Promise<T>) => Promise<T>;
