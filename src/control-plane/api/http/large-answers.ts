import { tooManyRequests } from '../errors.ts';
import type { ApiRequest } from './request.ts';

/** From this size on an answer counts. */
const LARGE = 1 << 20;
/** So many large answers may be on their way to one user; slow readers cannot make us hold more. */
const PER_USER = 64;
/** And so many bytes of them, where they are more than one. */
const BYTES_PER_USER = 192 * 1024 * 1024;

interface UnderWay {
  count: number;
  /** A body that goes to several is held once. */
  readonly bodies: Map<Buffer, number>;
  bytes: number;
}

/** Keeps count of large answers that their readers have not taken yet. */
export class LargeAnswers {
  readonly #underWay = new Map<string, UnderWay>();

  /** Counts an answer until it is read or its client gone. @throws StatusError 429 when too many wait to be read */
  admit({ user, exchange }: Pick<ApiRequest, 'user' | 'exchange'>, body: Buffer): void {
    if (body.length < LARGE) return;
    const own = this.#underWay.get(user.name) ?? { count: 0, bodies: new Map<Buffer, number>(), bytes: 0 };
    const holders = own.bodies.get(body) ?? 0;
    const more = holders === 0 ? body.length : 0;
    if (own.count >= PER_USER || (own.count > 0 && more > 0 && own.bytes + more > BYTES_PER_USER)) {
      throw tooManyRequests('too many large answers wait to be read, please read them first', 1);
    }
    own.count++;
    own.bytes += more;
    own.bodies.set(body, holders + 1);
    this.#underWay.set(user.name, own);
    exchange.onClose(() => {
      const left = own.bodies.get(body)! - 1;
      if (left > 0) own.bodies.set(body, left);
      else {
        own.bodies.delete(body);
        own.bytes -= body.length;
      }
      if (--own.count === 0) this.#underWay.delete(user.name);
    });
  }
}
