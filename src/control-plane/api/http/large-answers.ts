import { tooManyRequests } from '../errors.ts';
import type { ApiRequest } from './request.ts';

/** From this size on an answer counts. */
const LARGE = 1 << 20;
/** So many large answers may be on their way to one user; slow readers cannot make us hold more. */
const PER_USER = 64;

/** Keeps count of large answers that their readers have not taken yet. */
export class LargeAnswers {
  readonly #underWay = new Map<string, number>();

  /** Counts an answer until it is read or its client gone. @throws StatusError 429 when too many wait to be read */
  admit({ user, exchange }: Pick<ApiRequest, 'user' | 'exchange'>, bytes: number): void {
    if (bytes < LARGE) return;
    const count = this.#underWay.get(user.name) ?? 0;
    if (count >= PER_USER) throw tooManyRequests('too many large answers wait to be read, please read them first', 1);
    this.#underWay.set(user.name, count + 1);
    exchange.onClose(() => {
      const left = this.#underWay.get(user.name)! - 1;
      if (left > 0) this.#underWay.set(user.name, left);
      else this.#underWay.delete(user.name);
    });
  }
}
