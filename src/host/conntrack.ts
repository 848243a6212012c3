import { parseAddress } from './address.ts';
import type { Conntrack } from './host.ts';
import { dump, exchange, NETLINK_NETFILTER, openNetlink } from './netlink/exchange.ts';
import type { Request } from './netlink/exchange.ts';
import { attribute, attributes, message, NLM_F_ACK } from './netlink/message.ts';
import { Program } from './syscall/program.ts';

// linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h: subsystem 1 in the upper byte of the type.
const CT_GET = (1 << 8) | 1;
const CT_DELETE = (1 << 8) | 2;
const AF_INET = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ZONE = 18;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const NESTED = 0x8000;
const UDP = 17;
const GENMSG_BYTES = 4;
const BATCH = 64;

/** The kernel's connection tracking by nfnetlink. */
export class LinuxConntrack implements Conntrack {
  async forgetUdp(hostPort: number, keep?: string): Promise<void> {
    const header = Uint8Array.of(AF_INET, 0, 0, 0);
    const kept = keep === undefined ? undefined : parseAddress(keep);
    const entries = await dump(
      CT_GET,
      header,
      async (build) => {
        const program = new Program();
        build(program);
        await program.run();
      },
      NETLINK_NETFILTER,
    );
    const doomed: Request[] = [];
    for (const { payload } of entries) {
      const entry = attributes(payload.subarray(GENMSG_BYTES));
      const original = entry.get(CTA_TUPLE_ORIG);
      if (!original) continue;
      const protocol = attributes(attributes(original).get(CTA_TUPLE_PROTO) ?? Buffer.alloc(0));
      if (protocol.get(CTA_PROTO_NUM)?.[0] !== UDP || protocol.get(CTA_PROTO_DST_PORT)?.readUInt16BE(0) !== hostPort) continue;
      const answerer = attributes(attributes(entry.get(CTA_TUPLE_REPLY) ?? Buffer.alloc(0)).get(CTA_TUPLE_IP) ?? Buffer.alloc(0)).get(CTA_IP_V4_SRC);
      if (kept && answerer?.equals(kept)) continue;
      const zone = entry.get(CTA_ZONE);
      // Gone by itself meanwhile is as good.
      doomed.push({
        what: `flow to port ${hostPort}`,
        message: message(
          CT_DELETE,
          NLM_F_ACK,
          header,
          attribute(CTA_TUPLE_ORIG | NESTED, original),
          ...(zone ? [attribute(CTA_ZONE, zone)] : []),
        ),
        accept: ['ENOENT'],
      });
    }
    for (let at = 0; at < doomed.length; at += BATCH) {
      const program = new Program();
      const netlink = openNetlink(program, NETLINK_NETFILTER);
      const check = exchange(program, netlink, doomed.slice(at, at + BATCH));
      program.always('close', netlink.socket);
      await program.run();
      check();
    }
  }
}
