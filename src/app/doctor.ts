import { openHost } from '../host/open.ts';
import { probe, type Finding } from '../host/probe.ts';

/** Looks at the machine; changes nothing. */
export async function probeMachine(): Promise<readonly Finding[]> {
  return probe(await openHost());
}
