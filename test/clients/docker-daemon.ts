// An engine in a process of its own, for the test that kills it: `node docker-daemon.ts <place as JSON>`. Writes a line when it serves.
import { importBusybox, open } from './docker-engine.ts';
import type { Place } from './docker-engine.ts';

const place = JSON.parse(process.argv[2]!) as Place;
const { engine } = await open(place);
if ((await engine.images.list()).length === 0) await importBusybox(engine);
process.stdout.write('serving\n');
