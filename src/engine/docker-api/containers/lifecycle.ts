import type { ServerResponse } from 'node:http';
import { LongshoreError, isCode, messageOf } from '../../../lib/errors.ts';
import { NAME } from '../../containers/names.ts';
import type { Deps } from '../deps.ts';
import type { ApiRequest, JsonAnswer } from '../request.ts';
import { HOST_CONFIG } from '../shapes.ts';
import type { HostConfig } from './config.ts';
import { limitsOf } from './limits.ts';
import { parseSignal } from './signals.ts';

const DONE: JsonAnswer = { status: 204 };
const NOTHING_TO_DO: JsonAnswer = { status: 304 };

function nameOf(request: ApiRequest): string {
  return request.params['name']!;
}

/** `POST /containers/{name}/start`. */
export async function startContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const checkpoint = request.query.get('checkpoint');
  if (checkpoint) {
    if (!NAME.test(checkpoint)) throw new LongshoreError('invalid', `invalid checkpoint ID "${checkpoint}"`);
    throw new LongshoreError('not-implemented', 'starting from a checkpoint is not built', { remedy: 'Start the container without it.' });
  }
  const container = deps.containers.get(nameOf(request));
  if (container.status === 'running') return NOTHING_TO_DO;
  try {
    await deps.containers.start(container.id);
  } catch (error) {
    // The request is not to blame for what the container was made with.
    if (isCode(error, 'invalid') && /^unable to find (user|group) /.test(messageOf(error))) throw ofTheServer(error as LongshoreError);
    throw error;
  }
  return DONE;
}

/** The same error with status 500, where the API has no other for it. */
function ofTheServer(error: LongshoreError): LongshoreError {
  return new LongshoreError('internal', error.message, {
    cause: error,
    ...(error.object === undefined ? {} : { object: error.object }),
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
  });
}

function stopOptions(request: ApiRequest): { timeoutSeconds?: number; signal?: number } {
  const timeoutSeconds = request.integer('t');
  const signal = request.query.get('signal');
  return { ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }), ...(signal ? { signal: parseSignal(signal) } : {}) };
}

/** `POST /containers/{name}/stop`. */
export async function stopContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const container = deps.containers.get(nameOf(request));
  if (container.pid === undefined && container.status !== 'restarting') return NOTHING_TO_DO;
  await deps.containers.stop(container.id, stopOptions(request));
  return DONE;
}

/** `POST /containers/{name}/restart`. */
export async function restartContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  await deps.containers.restart(deps.containers.get(nameOf(request)).id, stopOptions(request));
  return DONE;
}

/** `POST /containers/{name}/kill`. */
export async function killContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  try {
    const container = deps.containers.get(nameOf(request));
    await deps.containers.kill(container.id, parseSignal(request.query.get('signal') || 'KILL'));
  } catch (error) {
    if (!(error instanceof LongshoreError)) throw error;
    throw new LongshoreError(error.code, `cannot kill container: ${nameOf(request)}: ${error.message}`, { cause: error });
  }
  return DONE;
}

export async function pauseContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  await deps.containers.pause(nameOf(request));
  return DONE;
}

export async function unpauseContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  try {
    await deps.containers.unpause(nameOf(request));
  } catch (error) {
    throw isCode(error, 'conflict') ? ofTheServer(error as LongshoreError) : error;
  }
  return DONE;
}

/** `POST /containers/{name}/rename?name=`. */
export async function renameContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const wanted = request.query.get('name');
  if (!wanted) throw new LongshoreError('invalid', 'Neither old nor new names may be empty');
  try {
    await deps.containers.rename(nameOf(request), wanted);
  } catch (error) {
    if (!(error instanceof LongshoreError) || error.code !== 'conflict') throw error;
    throw new LongshoreError('conflict', `Error when allocating new name: ${error.message}`, { cause: error });
  }
  return DONE;
}

/** `POST /containers/{name}/update`. */
export async function updateContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const body = (await request.json<HostConfig>(HOST_CONFIG)) ?? {};
  const container = deps.containers.get(nameOf(request));
  const warnings: string[] = [];
  const limits = limitsOf(body, { abilities: await deps.abilities(), warnings, isUpdate: true });
  const swap = limits.memorySwapBytes ?? container.spec.limits.memorySwapBytes;
  if (limits.memoryBytes !== undefined && swap !== undefined && swap !== -1 && limits.memoryBytes > swap) {
    throw new LongshoreError('invalid', 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time');
  }
  const policy = body.RestartPolicy;
  if (policy?.Name && !['no', 'always', 'on-failure', 'unless-stopped'].includes(policy.Name)) {
    throw new LongshoreError('invalid', `invalid restart policy: unknown policy '${policy.Name}'`);
  }
  if (policy?.Name && policy.Name !== 'no' && container.spec.autoRemove) {
    throw new LongshoreError('conflict', 'Restart policy cannot be updated because AutoRemove is enabled for the container');
  }
  await deps.containers.update(container.id, {
    ...(Object.keys(limits).length > 0 ? { limits } : {}),
    ...(policy?.Name ? { restart: { name: policy.Name as 'no', ...(policy.MaximumRetryCount ? { maximumRetryCount: policy.MaximumRetryCount } : {}) } } : {}),
  });
  return { body: { Warnings: warnings.length === 0 ? null : warnings } };
}

/** `DELETE /containers/{name}`. */
export async function removeContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  if (request.flag('link')) {
    await deps.containers.removeLink(nameOf(request));
    return DONE;
  }
  await deps.containers.remove(nameOf(request), { force: request.flag('force'), volumes: request.flag('v') });
  return DONE;
}

/** `POST /containers/{name}/wait`: the headers at once, so that the client knows that it is being waited; the code when it comes. */
export async function waitContainer(deps: Deps, request: ApiRequest, response: ServerResponse): Promise<void> {
  const condition = request.query.get('condition') || 'not-running';
  if (condition !== 'not-running' && condition !== 'next-exit' && condition !== 'removed') {
    throw new LongshoreError('invalid', `invalid condition: "${condition}"`);
  }
  const container = deps.containers.get(nameOf(request));
  const exit = deps.containers.wait(container.id, condition, request.signal);
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  const { code } = await exit;
  response.end(JSON.stringify({ StatusCode: code }) + '\n');
}

/** `POST /containers/{name}/resize?h=&w=`. */
export async function resizeContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const { columns, rows } = sizeIn(request);
  await deps.containers.resize(nameOf(request), columns, rows);
  return {};
}

/** The size that a terminal is to have. @throws `invalid` */
export function sizeIn(request: Pick<ApiRequest, 'query'>): { columns: number; rows: number } {
  const size = (name: string, what: string): number => {
    const text = request.query.get(name) ?? '';
    const reason = !/^-?\d+$/.test(text) ? 'invalid syntax' : Number(text) < 0 || Number(text) > 0xffff_ffff ? 'value out of range' : undefined;
    if (reason !== undefined) throw new LongshoreError('invalid', `invalid resize ${what} "${text}": ${reason}`);
    return Math.min(Number(text), 0xffff); // more than that no terminal has
  };
  const rows = size('h', 'height');
  return { rows, columns: size('w', 'width') };
}

/** `GET /containers/{name}/top`. */
export async function topContainer(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const container = deps.containers.get(nameOf(request));
  const { titles, rows } = await deps.containers.processes(container.id, request.query.get('ps_args') || '-ef');
  deps.containers.announce(container.id, 'top');
  return { body: { Titles: titles, Processes: rows } };
}

/** `GET /containers/{name}/changes`. */
export async function changesOf(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const changes = await deps.containers.changes(nameOf(request));
  return { body: changes.length === 0 ? null : changes.map(({ path, kind }) => ({ Path: path, Kind: kind })) };
}

/** `POST /containers/prune`. */
export async function pruneContainers(deps: Deps, request: ApiRequest): Promise<JsonAnswer> {
  const filters = request.filters(['label', 'label!', 'until']);
  const until = filters.has('until') ? untilMs(filters.get('until')[0]!, deps.clock.now()) : undefined;
  const deleted: string[] = [];
  let bytes = 0;
  for (const container of deps.containers.list({ owner: 'docker' })) {
    if (container.pid !== undefined || container.status === 'restarting' || !filters.labels(container.spec.labels)) continue;
    if (until !== undefined && container.createdMs > until) continue;
    bytes += await deps.images.snapshots.usage(container.id);
    await deps.containers.remove(container.id);
    deleted.push(container.id);
  }
  deps.events.emit('container', 'prune', '', { reclaimed: String(bytes) });
  return { body: { ContainersDeleted: deleted, SpaceReclaimed: bytes } };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A moment, or a Go duration before now (`24h`, `1h30m`). @throws `invalid` */
export function untilMs(text: string, now: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    let ms = 0;
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) ms += Number(amount) * UNIT_MS[unit!]!;
    return now - ms;
  }
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new LongshoreError('invalid', `invalid value for until: "${text}"`);
  return ms;
}
