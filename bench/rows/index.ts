import type { Row } from '../lib/row.ts';
import { rows as bigImage } from './big-image.ts';
import { rows as build } from './build.ts';
import { rows as create } from './create.ts';
import { row as dockerExec } from './docker-exec.ts';
import { row as dockerPs } from './docker-ps.ts';
import { row as dockerRunNoNetwork } from './docker-run-no-network.ts';
import { row as dockerRun } from './docker-run.ts';
import { rows as fiftyContainers } from './fifty-containers.ts';
import { row as idleMemory } from './idle-memory.ts';
import { row as output } from './output.ts';
import { row as podReady } from './pod-ready.ts';
import { rows as read } from './read.ts';
import { rows as schedule } from './schedule.ts';
import { row as service } from './service.ts';
import { row as start } from './start.ts';
import { row as watch } from './watch.ts';

/** In the order in which they run: what needs a quiet, fresh platform comes first. */
export const ROWS: readonly Row[] = [
  start,
  idleMemory,
  service,
  dockerRun,
  dockerRunNoNetwork,
  dockerPs,
  dockerExec,
  ...fiftyContainers,
  output,
  ...bigImage,
  ...build,
  podReady,
  watch,
  ...read,
  ...create,
  ...schedule,
];
