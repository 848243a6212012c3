import type { ResourceInfo } from '../../../types/kubernetes/resource-info.ts';
import type { RequestContext, UserInfo } from '../contract.ts';
import type { Exchange } from './exchange.ts';
import type { ResourceRoute } from './route.ts';
import type { Target } from './target.ts';

/** A request for a resource, once it is known who asks for what, and that they may. */
export interface ApiRequest {
  readonly exchange: Exchange;
  readonly target: Target;
  readonly route: ResourceRoute;
  readonly resource: ResourceInfo;
  readonly user: UserInfo;
  readonly verb: string;
  readonly context: RequestContext;
  /** Audit-Id and what else every answer carries. */
  readonly headers: readonly string[];
}
