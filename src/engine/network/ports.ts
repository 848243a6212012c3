import { isCode, isErrno, LongshoreError } from '../../lib/errors.ts';
import type { HostPorts } from '../../host/host.ts';
import type { PortBinding, PortWish } from './network.ts';
import { ANY_ADDRESS } from './rules.ts';

/** Free ports are looked for from here, as Docker does (the start of the kernel's own ephemeral range). */
const FIRST = 32_768;
const LAST = 60_999;

export interface ReservedPort {
  readonly binding: Required<PortBinding>;
  release(): void;
}

/** The host ports of this instance: each is held by a socket, so the kernel decides on conflicts, with strangers and other instances too. */
export class PublishedPorts {
  #ports: HostPorts;
  #owners = new Map<string, string>();
  #next: number;

  /**
   * @param instance hexadecimal; each looks for free ports from another one on. While a daemon is away nobody holds its containers'
   * ports, and another instance that begins where it began would take just them
   */
  constructor(ports: HostPorts, instance: string) {
    this.#ports = ports;
    this.#next = FIRST + (parseInt(instance.slice(0, 8), 16) % (LAST - FIRST + 1));
  }

  /**
   * Takes a port, the first free one of a range, or any free one for 0.
   * @param owner of whom a later conflict's message tells: a container
   * @throws `conflict` (in use: by whom, where that can be known), `invalid` (the address is not ours), `exhausted`
   */
  async reserve(wish: PortWish, owner: string, defaultAddress = ANY_ADDRESS): Promise<ReservedPort> {
    const hostIp = wish.hostIp === undefined || wish.hostIp === '' ? defaultAddress : wish.hostIp;
    if (hostIp.includes(':')) {
      throw new LongshoreError('not-implemented', `publishing on IPv6 addresses is not implemented: [${hostIp}]`, {
        remedy: 'Publish on an IPv4 address.',
      });
    }
    if (wish.hostPort !== undefined && wish.hostPort !== 0) return await this.#takeFirst(wish, hostIp, wish.hostPort, owner);
    for (let tries = FIRST; tries <= LAST; tries++) {
      const port = this.#next;
      this.#next = port === LAST ? FIRST : port + 1;
      try {
        return this.#hold(wish, hostIp, port, owner);
      } catch (error) {
        if (!isErrno(error, 'EADDRINUSE')) throw refused(hostIp, port, error);
      }
    }
    throw new LongshoreError('exhausted', `no free port on ${hostIp} between ${FIRST} and ${LAST}`);
  }

  async #takeFirst(wish: PortWish, hostIp: string, first: number, owner: string): Promise<ReservedPort> {
    for (let port = first; port < (wish.lastHostPort ?? first); port++) {
      try {
        return this.#hold(wish, hostIp, port, owner);
      } catch (error) {
        if (!isErrno(error, 'EADDRINUSE')) throw refused(hostIp, port, error);
      }
    }
    const last = wish.lastHostPort ?? first;
    return await this.#take(wish, hostIp, last, owner).catch((error: unknown) => {
      if (last === first || !isCode(error, 'conflict')) throw error;
      throw new LongshoreError('conflict', `Bind for ${hostIp}:${first}-${last} failed: all ports are allocated`, {
        object: `port ${first}-${last}/${wish.protocol}`,
        remedy: 'Publish on more ports, or on others.',
        cause: error,
      });
    });
  }

  async #take(wish: PortBinding, hostIp: string, port: number, owner: string): Promise<ReservedPort> {
    try {
      return this.#hold(wish, hostIp, port, owner);
    } catch (error) {
      if (!isErrno(error, 'EADDRINUSE')) throw refused(hostIp, port, error);
      const who = this.#owner(wish.protocol, port) ?? (await this.#ports.holder(wish.protocol, port, hostIp));
      throw new LongshoreError('conflict', `Bind for ${hostIp}:${port} failed: port is already allocated`, {
        object: `port ${port}/${wish.protocol}`,
        remedy: `${who === undefined ? 'Something else' : who} has it: stop that, or publish another port.`,
        cause: error,
      });
    }
  }

  /**
   * Notes a port that a container publishes although its socket could not be had again: somebody took it while this process was
   * away. Packets go to the container all the same, so that nobody else of this instance may have it, even once that stranger has gone.
   */
  claim(binding: Required<PortBinding>, owner: string): ReservedPort {
    return this.#own(binding, owner, () => {});
  }

  #hold(wish: PortBinding, hostIp: string, hostPort: number, owner: string): ReservedPort {
    if (this.#isClaimed(wish.protocol, hostIp, hostPort)) {
      throw Object.assign(new Error(`port ${hostPort} is published`), { code: 'EADDRINUSE' });
    }
    const letGo = this.#ports.hold(wish.protocol, hostIp, hostPort);
    return this.#own({ containerPort: wish.containerPort, protocol: wish.protocol, hostIp, hostPort }, owner, letGo);
  }

  #own(binding: Required<PortBinding>, owner: string, letGo: () => void): ReservedPort {
    const key = keyOf(binding.protocol, binding.hostPort, binding.hostIp);
    this.#owners.set(key, owner);
    return {
      binding,
      release: () => {
        letGo();
        this.#owners.delete(key);
      },
    };
  }

  #isClaimed(protocol: string, hostIp: string, port: number): boolean {
    if (hostIp === ANY_ADDRESS) return this.#owner(protocol, port) !== undefined;
    return this.#owners.has(keyOf(protocol, port, hostIp)) || this.#owners.has(keyOf(protocol, port, ANY_ADDRESS));
  }

  #owner(protocol: string, port: number): string | undefined {
    for (const [key, owner] of this.#owners) if (key.startsWith(keyOf(protocol, port, ''))) return `container ${owner}`;
    return undefined;
  }
}

function keyOf(protocol: string, port: number, hostIp: string): string {
  return `${protocol} ${port} ${hostIp}`;
}

function refused(hostIp: string, port: number, cause: unknown): unknown {
  if (isErrno(cause, 'EADDRNOTAVAIL')) {
    return new LongshoreError('invalid', `Bind for ${hostIp}:${port} failed: cannot assign requested address`, {
      object: `address ${hostIp}`,
      remedy: 'Publish on an address of this machine, or on all (leave the address out).',
      cause,
    });
  }
  if (isErrno(cause, 'EACCES')) return new LongshoreError('forbidden', `Bind for ${hostIp}:${port} failed: permission denied`, { cause });
  return cause;
}
