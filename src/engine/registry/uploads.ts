import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import { isCode } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import { uuid } from '../../lib/random.ts';
import type { BlobWriter } from '../images/content.ts';
import { isDigest } from '../images/digest.ts';
import type { ContentStore } from '../images/images.ts';
import { RegistryError, sendEmpty } from './answers.ts';
import type { Exchange } from './answers.ts';

interface Session {
  readonly id: string;
  readonly repository: string;
  readonly writer: BlobWriter;
  busy: boolean;
  cancelTimer: () => void;
}

const IDLE_MS = 30 * 60 * 1000;
const BOUND = 256;

/** Blob uploads: in one request, in one PUT, or in pieces (distribution-spec, "Pushing blobs"). */
export class Uploads {
  readonly #content: ContentStore;
  readonly #newWriter: () => Promise<BlobWriter>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #sessions = new Map<string, Session>();

  constructor(content: ContentStore, newWriter: () => Promise<BlobWriter>, clock: Clock, random: Random) {
    this.#content = content;
    this.#newWriter = newWriter;
    this.#clock = clock;
    this.#random = random;
  }

  /** POST: begins, mounts, or takes it all at once. */
  async begin(exchange: Exchange): Promise<void> {
    const { query, repository, request, response } = exchange;
    const mount = query.get('mount');
    // All repositories are of one store: what is here, is here.
    if (mount !== null && isDigest(mount) && (await this.#content.has(mount))) {
      sendEmpty(response, 201, { Location: `/v2/${repository}/blobs/${mount}`, 'Docker-Content-Digest': mount });
      return;
    }
    if (this.#sessions.size >= BOUND) throw new RegistryError('TOOMANYREQUESTS', `${BOUND} uploads are under way already`);
    const session: Session = { id: uuid(this.#random), repository, writer: await this.#newWriter(), busy: false, cancelTimer: () => {} };
    this.#sessions.set(session.id, session);
    this.#rest(session);
    if (query.has('digest')) {
      await this.#finish(exchange, session);
      return;
    }
    request.resume();
    sendEmpty(response, 202, this.#headers(session));
  }

  /** PATCH, PUT, GET and DELETE of an upload. */
  async go(exchange: Exchange, id: string): Promise<void> {
    const { method, repository, response } = exchange;
    const session = this.#sessions.get(id);
    if (!session || session.repository !== repository) {
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'there is no such upload (any more): begin it anew');
    }
    if (session.busy) throw new RegistryError('BLOB_UPLOAD_INVALID', 'another request writes to this upload');
    switch (method) {
      case 'GET':
        sendEmpty(response, 204, this.#headers(session));
        return;
      case 'PATCH':
        await this.#append(session, exchange);
        sendEmpty(response, 202, this.#headers(session));
        return;
      case 'PUT':
        await this.#finish(exchange, session);
        return;
      case 'DELETE':
        await this.#drop(session);
        sendEmpty(response, 204);
        return;
      default:
        throw new RegistryError('UNSUPPORTED', `${method} is not known for an upload`);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => this.#drop(session)));
  }

  async #append(session: Session, { request }: Exchange): Promise<void> {
    const range = request.headers['content-range'];
    const start = /^(?:bytes )?(\d+)-\d+/.exec(range ?? '')?.[1];
    if (range !== undefined && (start === undefined || Number(start) !== session.writer.size)) {
      throw new RegistryError('RANGE_INVALID', `the upload stands at byte ${session.writer.size}`, this.#headers(session));
    }
    session.busy = true;
    session.cancelTimer();
    try {
      for await (const piece of request as AsyncIterable<Buffer>) await session.writer.write(piece);
    } catch (error) {
      // Cut off, or the disk is full: where it stands can't be told.
      await this.#drop(session);
      throw isCode(error, 'exhausted') ? new RegistryError('UNKNOWN', (error as Error).message) : error;
    }
    session.busy = false;
    this.#rest(session);
  }

  async #finish(exchange: Exchange, session: Session): Promise<void> {
    const digest = exchange.query.get('digest') ?? '';
    if (!isDigest(digest)) throw new RegistryError('DIGEST_INVALID', `invalid digest ${JSON.stringify(digest)}`);
    if (hasBody(exchange.request)) await this.#append(session, exchange);
    else exchange.request.resume();
    session.cancelTimer();
    this.#sessions.delete(session.id);
    try {
      await session.writer.commit({ digest });
    } catch (error) {
      if (isCode(error, 'invalid')) throw new RegistryError('DIGEST_INVALID', (error as Error).message);
      throw error;
    } finally {
      await session.writer.abort();
    }
    sendEmpty(exchange.response, 201, { Location: `/v2/${session.repository}/blobs/${digest}`, 'Docker-Content-Digest': digest });
  }

  #headers(session: Session): Record<string, string> {
    return {
      Location: `/v2/${session.repository}/blobs/uploads/${session.id}`,
      'Docker-Upload-UUID': session.id,
      Range: `0-${Math.max(session.writer.size - 1, 0)}`,
    };
  }

  #rest(session: Session): void {
    session.cancelTimer();
    session.cancelTimer = this.#clock.after(IDLE_MS, () => {
      this.#drop(session).catch(() => {
        // Its file is deleted at the next start at the latest.
      });
    });
  }

  async #drop(session: Session): Promise<void> {
    session.cancelTimer();
    this.#sessions.delete(session.id);
    await session.writer.abort();
  }
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}
