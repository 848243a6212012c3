import { TYPE } from './message.ts';

/** A query packet as a resolver sends it. */
export function queryPacket(name: string, type: number, options: { edns?: number; id?: number } = {}): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  const header = Buffer.alloc(12);
  header.writeUInt16BE(options.id ?? 7, 0);
  header.writeUInt16BE(0x100, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(options.edns ? 1 : 0, 10);
  const opt = options.edns ? Buffer.from([0, 0, TYPE.OPT, options.edns >> 8, options.edns & 255, 0, 0, 0, 0, 0, 0]) : Buffer.alloc(0);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, type, 0, 1]), opt]);
}
