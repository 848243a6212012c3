import { connect, constants } from 'node:http2';
import type { ProbeResult } from './result.ts';

const SERVING = 1;
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** grpc.health.v1.Health/Check over cleartext HTTP/2. Never rejects but for a broken connection. */
export function grpcHealth(host: string, port: number, service: string, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${host}:${port}`);
    const timer = setTimeout(() => finish({ ok: false, output: `timeout: health rpc did not complete within ${timeoutMs / 1000}s` }), timeoutMs);
    const finish = (result: ProbeResult): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(result);
    };
    session.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`connection to ${host}:${port}: ${error.message}`));
    });
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const pieces: Buffer[] = [];
    let status = '';
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('response', (headers) => (status = String(headers['grpc-status'] ?? '')));
    stream.on('trailers', (headers) => (status = String(headers['grpc-status'] ?? '')));
    stream.on('error', (error) => finish({ ok: false, output: error.message }));
    stream.on('close', () => {
      if (status !== '0') return finish({ ok: false, output: `health rpc failed with grpc status ${status || 'unknown'}` });
      // HealthCheckResponse: field 1, an enum, behind the five bytes of the gRPC frame.
      const message = Buffer.concat(pieces).subarray(5);
      const serving = message[0] === 8 ? message[1]! : 0;
      return finish({ ok: serving === SERVING, output: serving === SERVING ? '' : `service unhealthy (responded with "${STATUS_NAMES[serving] ?? serving}")` });
    });
    const name = Buffer.from(service);
    const body = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([10, name.length]), name]);
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(body.length, 1);
    stream.end(Buffer.concat([frame, body]));
  });
}
