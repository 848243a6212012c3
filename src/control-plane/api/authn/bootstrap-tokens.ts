import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../../lib/clock.ts';
import type { Secret } from '../../../types/kubernetes/generated/core-v1.ts';
import type { UserInfo } from '../contract.ts';
import type { Lookup } from '../lookup.ts';
import { AUTHENTICATED } from './users.ts';

const FORM = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Tokens by which nodes join: `id.secret`, kept as Secrets of type bootstrap.kubernetes.io/token in kube-system. */
export class BootstrapTokens {
  readonly #lookup: Lookup;
  readonly #clock: Clock;

  constructor(lookup: Lookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /** undefined: not a token that holds now. */
  authenticate(token: string): UserInfo | undefined {
    const [, id, secret] = FORM.exec(token) ?? [];
    if (id === undefined || secret === undefined) return undefined;
    const object = this.#lookup.get<Secret>('', 'secrets', 'kube-system', `bootstrap-token-${id}`);
    if (object === undefined || object.type !== 'bootstrap.kubernetes.io/token' || object.metadata?.deletionTimestamp !== undefined) {
      return undefined;
    }
    const field = (name: string): string => Buffer.from(object.data?.[name] ?? '', 'base64').toString('utf8');
    const stored = Buffer.from(field('token-secret'));
    const given = Buffer.from(secret);
    if (field('token-id') !== id || stored.length !== given.length || !timingSafeEqual(stored, given)) return undefined;
    if (field('usage-bootstrap-authentication') !== 'true') return undefined;
    const expiration = field('expiration');
    if (expiration !== '' && !(Date.parse(expiration) > this.#clock.now())) return undefined;
    const groups = field('auth-extra-groups').split(',').filter((group) => GROUP.test(group));
    return { name: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...groups, AUTHENTICATED] };
  }
}
