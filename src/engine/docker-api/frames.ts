/** Docker's multiplexed stream: a header of 8 bytes (stream, three zeros, length in big endian) before each piece. */
export const RAW_STREAM = 'application/vnd.docker.raw-stream';
const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

const STDOUT = 1;
const STDERR = 2;

export function frame(stream: 'stdout' | 'stderr', data: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(8 + data.length);
  framed.writeUInt32BE((stream === 'stderr' ? STDERR : STDOUT) << 24 >>> 0, 0);
  framed.writeUInt32BE(data.length, 4);
  framed.set(data, 8);
  return framed;
}

/** The content type of a stream; clients before 1.42 know one only. */
export function streamType(tty: boolean, minor: number): string {
  return !tty && minor >= 42 ? MULTIPLEXED_STREAM : RAW_STREAM;
}
