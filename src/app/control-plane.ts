import { RESOURCES } from '../types/kubernetes/generated/resources.ts';
import { clusterRoleBindings, clusterRoles, storageClasses } from '../client/resources.ts';
import type { ResourceRef, Transport } from '../client/transport.ts';
import { InformerFactory } from '../client/informer-factory.ts';
import { applyPatch, trackUpdate } from '../control-plane/api/apply/apply.ts';
import { readSigningRequest } from '../control-plane/api/pki/signing-request.ts';
import { openRegistry } from '../control-plane/api/registry/open.ts';
import { kubernetesRules } from '../control-plane/api/rules/rules.ts';
import { openApiServer, type ApiServer, type ApiServerOptions } from '../control-plane/api/server.ts';
import { STANDARD_CLASS, startControllers } from '../control-plane/controllers/index.ts';
import { startScheduler } from '../control-plane/scheduler/start.ts';
import type { Store } from '../control-plane/store/store.ts';
import { isCode } from '../lib/errors.ts';
import type { ClusterRole, ClusterRoleBinding } from '../types/kubernetes/generated/rbac-v1.ts';
import type { StorageClass } from '../types/kubernetes/generated/storage-v1.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import type { Random } from '../lib/random.ts';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import type { InstanceConfig } from './instance.ts';
import type { PhaseTimer } from './phases.ts';
import type { ControlPlanePart } from './settings.ts';

export interface ControlPlaneOptions {
  readonly store: Store;
  readonly pkiFolder: string;
  readonly config: Pick<InstanceConfig, 'apiPort' | 'clusterCidr' | 'serviceCidr' | 'nodeAddress' | 'innerAddress' | 'listen'>;
  /** Where the API listens; loopback unless asked for more. */
  readonly address: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly phases: PhaseTimer;
  /** A connection to the API of a node that lives in this process; undefined for others, which are reached by their address. */
  readonly connectNode?: (name: string) => Promise<Duplex> | undefined;
  /** More of the API server's options. */
  readonly api?: Partial<ApiServerOptions>;
  /** Folder beneath which volumes of the class `standard` are made. */
  readonly localPathRoot?: string;
  /** Deletes such a volume's folder on a node; without it they end as Failed, and say so. */
  readonly removeLocalPath?: (api: ApiServer) => (node: string, path: string) => Promise<void>;
  /** A node that was not heard of for so long is not ready; 40 s where it is left out. */
  readonly nodeMonitorGraceMs?: number;
  /** Parts that something else does. */
  readonly without?: readonly ControlPlanePart[];
}

export interface ControlPlane {
  readonly api: ApiServer;
  /** A transport of this process for a component, as the user that it is upstream. */
  transportFor(user: string, groups?: readonly string[]): Transport;
  close(): Promise<void>;
}

/** How long a certificate is good for whose request says nothing: a year. */
const CERTIFICATE_SECONDS = 365 * 24 * 3600;
const AUTHENTICATED = 'system:authenticated';
const SERVICE_ACCOUNTS = ['system:serviceaccounts', 'system:serviceaccounts:kube-system', AUTHENTICATED];

/** API server, controllers and scheduler in this process, over one store. */
export async function openControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { store, config, clock, random, logger, phases } = options;
  const api = await phases.time('api server', () =>
    openApiServer({
      openRegistry: ({ admission, ...hooks }) =>
        openRegistry({
          store,
          rules: kubernetesRules,
          admission,
          clock,
          random,
          logger: logger.child({ room: 'registry' }),
          applyPatch,
          trackUpdate,
          serviceCidr: config.serviceCidr,
          ...hooks,
        }),
      resources: RESOURCES,
      address: options.address,
      port: config.apiPort,
      pkiFolder: options.pkiFolder,
      serviceCidr: config.serviceCidr,
      // Pods reach the API at the inner address while it listens on loopback alone.
      advertiseAddress:
        config.listen === undefined ? config.innerAddress : config.listen === '0.0.0.0' ? config.nodeAddress : config.listen,
      alternativeNames:
        options.address === '0.0.0.0'
          ? Object.values(networkInterfaces()).flatMap((all) =>
              (all ?? []).filter(({ family }) => family === 'IPv4').map(({ address }) => address),
            )
          : [],
      ...(options.connectNode && { connectNode: options.connectNode }),
      clock,
      random,
      logger: logger.child({ room: 'api' }),
      ...options.api,
    }),
  );
  const transportFor = (name: string, groups: readonly string[] = [AUTHENTICATED]): Transport =>
    api.inProcess({ name, groups: [...groups] });
  const without = new Set(options.without);
  const controllers = without.has('controllers') ? undefined : startControllers({
    transportFor: (name) =>
      name === 'kube-controller-manager'
        ? transportFor('system:kube-controller-manager')
        : transportFor(`system:serviceaccount:kube-system:${name}`, SERVICE_ACCOUNTS),
    clock,
    random,
    logger: logger.child({ room: 'controllers' }),
    options: {
      rootCa: api.authority.certificate,
      clusterCidr: config.clusterCidr,
      signCertificate: ({ requestPem, signerName, expirationSeconds }) =>
        Promise.resolve(
          api.authority.sign(
            readSigningRequest(requestPem),
            signerName === 'kubernetes.io/kubelet-serving' ? 'server' : 'client',
            (expirationSeconds ?? CERTIFICATE_SECONDS) * 1000,
          ),
        ),
      loadBalancerIngress: () => [{ ip: config.nodeAddress }],
      ...(options.localPathRoot !== undefined && { localPathRoot: options.localPathRoot }),
      ...(options.removeLocalPath && { removeLocalPath: options.removeLocalPath(api) }),
      ...(options.nodeMonitorGraceMs !== undefined && { nodeMonitorGraceMs: options.nodeMonitorGraceMs }),
    },
  });
  const stopScheduler = without.has('scheduler') ? undefined : openScheduler(transportFor('system:kube-scheduler'), options);
  await phases.time('controllers', async () => {
    const admin = transportFor('longshore', ['system:masters', AUTHENTICATED]);
    await Promise.all([
      controllers?.ready,
      letNodesServe(admin),
      ...(options.localPathRoot === undefined ? [] : [createUnlessThere(admin, storageClasses, STANDARD_CLASS)]),
    ]);
  });
  return {
    api, transportFor,
    async close() {
      stopScheduler?.();
      await controllers?.stop();
      await api.close();
      await store.close();
    },
  };
}

/** @returns what stops it */
function openScheduler(
  transport: Transport,
  { clock, random, logger }: Pick<ControlPlaneOptions, 'clock' | 'random' | 'logger'>,
): () => void {
  const informers = new InformerFactory({ transport, clock, random, logger });
  const scheduler = startScheduler({ transport, informers, clock, logger: logger.child({ room: 'scheduler' }) });
  informers.start();
  return () => {
    scheduler.close();
    informers.stop();
  };
}

const NODE_SERVICES = 'longshore:node-services';

/**
 * A node's own proxy and name server read Services, their endpoints, nodes and namespaces, as `system:node`; upstream gives these rights to
 * separate service accounts.
 */
async function letNodesServe(transport: Transport): Promise<void> {
  const objects: readonly (readonly [ResourceRef, ClusterRole | ClusterRoleBinding])[] = [
    [
      clusterRoles,
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: NODE_SERVICES },
        rules: [
          { apiGroups: [''], resources: ['services', 'nodes', 'namespaces'], verbs: ['get', 'list', 'watch'] },
          { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['get', 'list', 'watch'] },
        ],
      },
    ],
    [
      clusterRoleBindings,
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: NODE_SERVICES },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NODE_SERVICES },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:nodes' }],
      },
    ],
  ];
  for (const [resource, object] of objects) await createUnlessThere(transport, resource, object);
}

/** What is there already stays as its owner left it. */
async function createUnlessThere(transport: Transport, resource: ResourceRef, object: ClusterRole | ClusterRoleBinding | StorageClass): Promise<void> {
  try {
    await transport.create(resource, undefined, object);
  } catch (error) {
    if (!isCode(error, 'already-exists')) throw error;
  }
}
