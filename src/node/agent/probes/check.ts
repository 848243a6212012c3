import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { messageOf } from '../../../lib/errors.ts';
import type { Container, HTTPGetAction, Probe } from '../../../types/kubernetes/generated/core-v1.ts';
import type { IntOrString } from '../../../types/kubernetes/scalars.ts';
import type { Cri } from '../../cri/cri.ts';
import type { ProbeResult } from './result.ts';

const MAX_BODY_BYTES = 10 * 1024;
const MAX_MESSAGE = 1024;

export interface ProbeTarget {
  readonly containerId: string;
  readonly container: Container;
  /** Address at which the pod answers. */
  readonly address: string;
}

/** Runs a probe once. Never rejects. */
export async function check(cri: Pick<Cri, 'execSync'>, probe: Probe, target: ProbeTarget, userAgent: string): Promise<ProbeResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec) {
      const { exitCode, stdout, stderr } = await cri.execSync(target.containerId, probe.exec.command ?? [], timeoutMs / 1000);
      return { ok: exitCode === 0, output: Buffer.concat([stdout, stderr]).toString().slice(0, MAX_MESSAGE) };
    }
    if (probe.httpGet) return await httpGet(probe.httpGet, target, timeoutMs, userAgent);
    if (probe.tcpSocket) {
      return await tcp(probe.tcpSocket.host || target.address, portOf(probe.tcpSocket.port, target.container), timeoutMs);
    }
    if (probe.grpc) {
      const { grpcHealth } = await import('./grpc.ts');
      return await grpcHealth(target.address, probe.grpc.port, probe.grpc.service ?? '', timeoutMs);
    }
    return { ok: false, output: 'the probe has no action' };
  } catch (error) {
    return { ok: false, output: messageOf(error).slice(0, MAX_MESSAGE) };
  }
}

/** A port by number, or by its name among the container's ports. @throws Error when there is none of that name */
function portOf(port: IntOrString, container: Container): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort ?? (/^\d+$/.test(port) ? Number(port) : undefined);
  if (named === undefined) throw new Error(`container ${container.name} has no port named "${port}"`);
  return named;
}

/** GET; 200 to 399 is success. Redirects to the same host are followed, others count as success, as the kubelet does. */
export async function httpGet(action: HTTPGetAction, target: ProbeTarget, timeoutMs: number, userAgent: string): Promise<ProbeResult> {
  const host = action.host || target.address;
  const secure = action.scheme === 'HTTPS';
  const port = portOf(action.port, target.container);
  const headers: Record<string, string> = { 'User-Agent': userAgent, Accept: '*/*', Connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) {
    for (const known of Object.keys(headers)) if (known.toLowerCase() === name.toLowerCase()) delete headers[known];
    if (value !== '') headers[name] = value ?? '';
  }
  const signal = AbortSignal.timeout(timeoutMs);
  const url = `${secure ? 'https' : 'http'}://${host}:${port}${action.path ?? '/'}`;
  let path = action.path || '/';
  for (let redirects = 0; redirects < 10; redirects++) {
    const { status, location } = await get(secure, { host, port, path, headers, signal });
    if (status >= 300 && status < 400 && location !== undefined) {
      const next = new URL(location, `${secure ? 'https' : 'http'}://${host}:${port}${path}`);
      if (next.hostname !== host) return { ok: true, output: '' };
      path = next.pathname + next.search;
      continue;
    }
    if (status >= 200 && status < 400) return { ok: true, output: '' };
    return { ok: false, output: `HTTP probe failed with statuscode: ${status}` };
  }
  return { ok: false, output: `Get "${url}": stopped after 10 redirects` };
}

function get(
  secure: boolean,
  options: { host: string; port: number; path: string; headers: Record<string, string>; signal: AbortSignal },
): Promise<{ status: number; location: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    // A probe asks whether the server answers, not who it is: certificates are not verified, as the kubelet does not.
    const request = (secure ? httpsRequest : httpRequest)(
      { ...options, agent: false, ...(secure && { rejectUnauthorized: false }) },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          body += piece;
          if (body.length > MAX_BODY_BYTES) response.destroy();
        });
        response.on('close', () => resolve({ status: response.statusCode ?? 0, location: response.headers.location, body }));
        response.on('error', () => undefined); // what came is enough: the status line decides
      },
    );
    request.on('error', (error) =>
      reject(
        new Error(
          `Get "${secure ? 'https' : 'http'}://${options.host}:${options.port}${options.path}": ${error.name === 'AbortError' || error.name === 'TimeoutError' ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)' : error.message}`,
        ),
      ),
    );
    request.end();
  });
}

function tcp(host: string, port: number, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (ok: boolean, output: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ok, output });
    };
    const timer = setTimeout(() => done(false, `dial tcp ${host}:${port}: i/o timeout`), timeoutMs);
    socket
      .once('connect', () => done(true, ''))
      .once('error', (error: NodeJS.ErrnoException) =>
        done(false, `dial tcp ${host}:${port}: connect: ${error.code === 'ECONNREFUSED' ? 'connection refused' : error.message}`),
      );
  });
}
