import { isIP } from 'node:net';
import { rfc3339, type Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { Metrics } from '../../lib/metrics.ts';
import type { Random } from '../../lib/random.ts';
import type { ResourceInfo } from '../../types/kubernetes/resource-info.ts';
import { AccountWait } from './await-account.ts';
import { admissionChain } from './admission/chain.ts';
import { Authenticator } from './authn/authenticator.ts';
import { BootstrapTokens } from './authn/bootstrap-tokens.ts';
import { keyIdOf } from './authn/jwt.ts';
import { authenticationReviews } from './authn/reviews.ts';
import { ServiceAccountTokens } from './authn/service-account-tokens.ts';
import { authenticated } from './authn/users.ts';
import { Access } from './authz/access.ts';
import { accessReviews } from './authz/access-reviews.ts';
import { AuthorizerChain } from './authz/chain.ts';
import { NodeAuthorizer } from './authz/node.ts';
import { RbacAuthorizer } from './authz/rbac.ts';
import { feedRbac } from './authz/rbac-feed.ts';
import type { RoleObject } from './authz/rbac-types.ts';
import { putFirstObjects, type BootstrapParts } from './bootstrap/first-objects.ts';
import { keepFirstObjects } from './bootstrap/keep.ts';
import { defaultPolicy } from './bootstrap/policy.ts';
import { firstAddress } from './bootstrap/service.ts';
import { ProtobufCodec } from './codec/protobuf/codec.ts';
import { YamlReader } from './codec/yaml/yaml.ts';
import type { AdmissionPlugin, Registry, UserInfo } from './contract.ts';
import { addDiscovery } from './discovery/paths.ts';
import { unavailable } from './errors.ts';
import { withVirtuals } from './front.ts';
import { Negotiator } from './http/accept.ts';
import { FairGate } from './http/gate.ts';
import { RequestHandler } from './http/handler.ts';
import { Health, type HealthCheck } from './http/health.ts';
import { ListCache } from './http/list-cache.ts';
import { listen, type Listener } from './http/listener.ts';
import { observer } from './http/observe.ts';
import { PathTable } from './http/paths.ts';
import { Representation } from './http/representation.ts';
import { addServerPaths } from './http/server-paths.ts';
import { InProcessDoor } from './in-process.ts';
import { Lookup } from './lookup.ts';
import { addOpenApi } from './openapi/paths.ts';
import { Authority, type Credentials } from './pki/authority.ts';
import { newKubeconfig, type KubeconfigEntry } from './pki/kubeconfig.ts';
import { ResourceTable } from './resource-table.ts';
import { decodeKind } from './rules/decode/decode.ts';
import { StreamConnector } from './streams/connector.ts';
import { NodeConnector, type LocalNodes } from './streams/node-connection.ts';
import { Tables } from './table/table.ts';

const STOP_GRACE_MS = 2000;

export interface ApiServerOptions {
  /** Opens the registry of the kinds with this admission chain. The server closes it. */
  readonly openRegistry: (parts: { readonly admission: readonly AdmissionPlugin[] }) => Promise<Registry>;
  readonly resources: readonly ResourceInfo[];
  readonly address: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Keys and certificates are kept here over restarts; made with mode 0700. */
  readonly pkiFolder: string;
  /** IPv4 range of Services, as in `10.96.0.0/16`; the first address is that of the `kubernetes` Service. */
  readonly serviceCidr: string;
  /** Where pods and other nodes reach this server; without it the `kubernetes` Service has no endpoints. */
  readonly advertiseAddress?: string;
  /** More names and addresses for the server's certificate. */
  readonly alternativeNames?: readonly string[];
  /** Bearer tokens that are good for as long as the server runs. */
  readonly staticTokens?: ReadonlyMap<string, UserInfo>;
  readonly issuer?: string;
  /** Name of the cluster in kubeconfigs. */
  readonly clusterName?: string;
  /** Connections to the APIs of nodes that live in this process; other nodes are reached by the address that they report. */
  readonly connectNode?: LocalNodes;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

export interface ApiServer {
  readonly port: number;
  /** As clients reach it: https://ADDRESS:PORT */
  readonly url: string;
  readonly authority: Authority;
  readonly metrics: Metrics;
  readonly tokens: ServiceAccountTokens;
  readonly resources: ResourceTable;
  readonly registry: Registry;
  /** A transport for a component in this process, bound to one user. */
  inProcess(user: UserInfo): InProcessDoor;
  /** Credentials of a member of system:masters. */
  readonly admin: Credentials;
  adminKubeconfigEntry(): KubeconfigEntry;
  adminKubeconfig(): string;
  /** Adds a condition to /readyz (and, unless it says otherwise, to /livez). */
  addHealthCheck(check: HealthCheck): void;
  close(): Promise<void>;
}

/**
 * Opens the Kubernetes API server: registry, first objects, HTTPS. When the
 * promise resolves, it answers.
 * @throws LongshoreError `conflict` when the port is taken, `invalid` for a broken certificate folder or range
 */
export async function openApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { clock, random, logger, pkiFolder } = options;
  const metrics = options.metrics ?? new Metrics();
  const resources = new ResourceTable(options.resources);
  const lookup = new Lookup(resources);
  const serviceAddress = firstAddress(options.serviceCidr);
  const authority = await Authority.open(pkiFolder, clock, random);
  const [serving, admin, nodeClient, signing] = await Promise.all([
    authority.server(serverNames(options, serviceAddress)),
    authority.client('admin', { commonName: 'kubernetes-admin', organizations: ['system:masters'] }),
    authority.client('apiserver-node-client', { commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] }),
    authority.signingKey(),
  ]);

  const issuer = options.issuer ?? 'https://kubernetes.default.svc.cluster.local';
  const tokens = new ServiceAccountTokens({
    issuer,
    audiences: [issuer],
    keys: [{ id: keyIdOf(signing.publicKey), ...signing }],
    lookup,
    clock,
    random,
  });
  const authenticator = new Authenticator({
    staticTokens: options.staticTokens ?? new Map(),
    serviceAccounts: tokens,
    bootstrap: new BootstrapTokens(lookup, clock),
    anonymous: true,
  });
  const rbac = new RbacAuthorizer();
  const nodeRules = (
    defaultPolicy().find(({ resource, object }) => resource === 'clusterroles' && object.metadata?.name === 'system:node')!
      .object as RoleObject
  ).rules;
  const access = new Access(new AuthorizerChain([new NodeAuthorizer(lookup, nodeRules), rbac]));

  const inner = await options.openRegistry({ admission: admissionChain({ lookup, access, rbac, clock, random }) });
  lookup.bind(inner);
  const stopFeed = feedRbac(rbac, inner, resources, clock, logger);
  const decode = (group: string, resource: string, body: unknown) => {
    const kind =
      resource === 'tokenrequests'
        ? { group, version: 'v1', kind: 'TokenRequest', schema: 'io.k8s.api.authentication.v1.TokenRequest' }
        : resources.require({ group, version: 'v1', resource });
    return decodeKind(kind, body, []);
  };
  const registry = withVirtuals(
    inner,
    [...accessReviews(access, rbac, decode), ...authenticationReviews({ authenticator, tokens, lookup, clock, decode })],
    new AccountWait({ lookup, registry: inner, resources, clock }),
  );

  const stopping = new AbortController();
  const health = new Health();
  let state: 'starting' | 'running' | 'stopping' = 'starting';
  health.add({ name: 'poststarthook/bootstrap', readinessOnly: true, check: () => (state === 'starting' ? 'the first objects are being made' : undefined) });
  health.add({ name: 'shutdown', readinessOnly: true, check: () => (state === 'stopping' ? 'the server is stopping' : undefined) });
  const codec = new ProtobufCodec(() => resources.all());
  const nodes = new NodeConnector({ lookup, local: options.connectNode, authority: authority.certificate, credentials: nodeClient, clock });
  const gate = new FairGate();
  const yaml = new YamlReader((ms, fn) => clock.after(ms, fn));
  const paths = new PathTable();
  let listener: Listener | undefined = undefined;
  const host = options.advertiseAddress ?? options.address;
  const outside = (): string => `${isIP(host) === 6 ? `[${host}]` : host}:${listener?.port ?? options.port}`;
  addDiscovery(paths, resources, outside);
  addOpenApi(paths, resources);
  health.addPaths(paths);
  addServerPaths(paths, { metrics, tokens, address: outside });
  const handler = new RequestHandler({
    door: {
      registry,
      access,
      negotiator: new Negotiator(),
      representation: new Representation(new Tables(clock), codec, new ListCache((ms, fn) => clock.after(ms, fn))),
      protobuf: codec.decode,
      yaml,
      clock,
      random,
      stopping: stopping.signal,
    },
    resources,
    authenticator,
    paths,
    gate,
    logger,
    observe: observer(metrics, gate),
    connector: new StreamConnector({ lookup, nodes, clock, random }),
  });
  listener = await listen({
    address: options.address,
    port: options.port,
    key: serving.key,
    certificate: serving.certificate,
    clientAuthority: authority.certificate,
    handle: handler.handle,
    clock,
    logger,
  });
  // Whoever reads our kubeconfig is on this machine: no address in particular means loopback.
  const reachable = options.address === '0.0.0.0' || options.address === '::' ? '127.0.0.1' : options.address;
  metrics.gauge('apiserver_connections', 'TLS connections that are open now.', {}, () => listener?.connections ?? 0);
  const url = `https://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${listener.port}`;
  const bootstrap: BootstrapParts = {
    registry: inner, resources, lookup, logger, service: { serviceCidr: options.serviceCidr, advertiseAddress: options.advertiseAddress, port: listener.port },
    authority: authority.certificate, server: `https://${outside()}`, now: rfc3339(clock.now()),
  };
  await putFirstObjects(bootstrap);
  const stopKeeping = keepFirstObjects(bootstrap, clock);
  state = 'running';

  const entry = (): KubeconfigEntry => ({ name: options.clusterName ?? 'longshore', server: url, authority: authority.certificate, ...admin });
  return {
    port: listener.port, url, authority, metrics, tokens, resources, registry, admin,
    inProcess: (user) => new InProcessDoor({ registry, resources, access, user: authenticated(user), after: (ms, fn) => clock.after(ms, fn) }),
    adminKubeconfigEntry: entry,
    adminKubeconfig: () => newKubeconfig(entry()),
    addHealthCheck: (check) => health.add(check),
    async close() {
      if (state === 'stopping') return;
      state = 'stopping';
      stopping.abort();
      gate.close(unavailable('the server is stopping'));
      await Promise.all([listener.close(STOP_GRACE_MS), yaml.close()]);
      stopFeed();
      stopKeeping();
      await inner.close();
    },
  };
}

function serverNames(options: ApiServerOptions, serviceAddress: string): readonly string[] {
  const names = [
    'localhost',
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    '127.0.0.1',
    serviceAddress,
  ];
  const more = [options.address, options.advertiseAddress, ...(options.alternativeNames ?? [])].filter(
    (name) => name !== undefined && name !== '0.0.0.0' && name !== '::',
  );
  return [...new Set([...names, ...(more as string[])])];
}
