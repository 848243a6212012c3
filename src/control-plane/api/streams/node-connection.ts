import { X509Certificate } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '../../../lib/clock.ts';
import { LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { Node } from '../../../types/kubernetes/generated/core-v1.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';
import { failure, notFound } from '../errors.ts';
import type { Lookup } from '../lookup.ts';
import type { Credentials } from '../pki/authority.ts';

const CONNECT_MS = 10_000;
const NODE_PORT = 10250;
/** Which of a node's addresses is tried, best first. */
const ADDRESS_TYPES = ['InternalIP', 'Hostname', 'InternalDNS', 'ExternalIP', 'ExternalDNS'];

/** A connection to the API of a node that lives in this process; undefined for the others, which are reached by their address. */
export type LocalNodes = (name: string) => Duplex | undefined | Promise<Duplex | undefined>;

/** Opens connections to the nodes' own APIs. */
export class NodeConnector {
  readonly #lookup: Lookup;
  readonly #local: LocalNodes | undefined;
  readonly #authority: string;
  readonly #credentials: Credentials;
  readonly #clock: Clock;

  /** @param credentials of the API server as the client of a node: by them the node knows that the request is authorised */
  constructor(parts: {
    readonly lookup: Lookup;
    readonly local: LocalNodes | undefined;
    readonly authority: string;
    readonly credentials: Credentials;
    readonly clock: Clock;
  }) {
    this.#lookup = parts.lookup;
    this.#local = parts.local;
    this.#authority = parts.authority;
    this.#credentials = parts.credentials;
    this.#clock = parts.clock;
  }

  /** @throws StatusError 404 for an unknown node, 500 `error dialing backend: …` */
  async connect(name: string): Promise<Duplex> {
    const node = this.#lookup.get<Node>('', 'nodes', undefined, name);
    if (node === undefined) throw notFound({ group: '', resource: 'nodes' }, name);
    const local = await this.#local?.(name);
    if (local !== undefined) return local;
    const addresses = node.status?.addresses ?? [];
    const address = ADDRESS_TYPES.map((type) => addresses.find((one) => one.type === type)?.address).find((one) => one !== undefined);
    if (address === undefined) throw dialError(new LongshoreError('unavailable', `node ${name} has told no address yet`));
    return this.#dial(name, address, node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? NODE_PORT);
  }

  /** A node serves with the certificate that it got when it joined: made by our authority, in the node's name. */
  #isNode(certificate: X509Certificate | undefined, name: string): boolean {
    if (
      certificate === undefined ||
      nodeName(certificate) !== name ||
      !certificate.verify(new X509Certificate(this.#authority).publicKey)
    ) {
      return false;
    }
    const now = this.#clock.now();
    return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
  }

  #dial(name: string, host: string, port: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({
        host,
        port,
        ca: this.#authority,
        cert: this.#credentials.certificate,
        key: this.#credentials.key,
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: false,
      });
      const cancel = this.#clock.after(CONNECT_MS, () =>
        socket.destroy(new LongshoreError('timeout', `dial tcp ${host}:${port}: i/o timeout`)),
      );
      socket.once('secureConnect', () => {
        cancel();
        if (!socket.authorized && !this.#isNode(socket.getPeerX509Certificate(), name)) {
          socket.destroy();
          reject(dialError(new LongshoreError('unauthorized', `what answers at ${host}:${port} can't show that it is node ${name}`)));
          return;
        }
        socket.setNoDelay(true);
        resolve(socket);
      });
      socket.once('error', (error) => {
        cancel();
        reject(dialError(error));
      });
    });
  }
}

/** The name that a node's certificate carries. */
function nodeName(certificate: X509Certificate): string | undefined {
  return /^CN=system:node:(\S+)$/m.exec(certificate.subject)?.[1];
}

/** 500, worded as clients know it. */
export function dialError(error: unknown): StatusError {
  return new StatusError(failure(500, 'InternalError', `error dialing backend: ${messageOf(error)}`));
}
