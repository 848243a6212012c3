import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { HttpTransport } from '../client/http-transport.ts';
import { loadKubeconfig, type ClientConfig } from '../client/kubeconfig.ts';
import { certificateSigningRequests, secrets } from '../client/resources.ts';
import type { Transport } from '../client/transport.ts';
import { keyPem, newKey } from '../control-plane/api/pki/certificate.ts';
import { makeSigningRequest } from '../control-plane/api/pki/make-request.ts';
import { systemClock } from '../lib/clock.ts';
import { isErrno, LongshoreError } from '../lib/errors.ts';
import { explainJoin } from './join-errors.ts';
import { nameSuffix, systemRandom } from '../lib/random.ts';
import type { CertificateSigningRequest } from '../types/kubernetes/generated/certificates-v1.ts';
import type { ConfigMap, Secret } from '../types/kubernetes/generated/core-v1.ts';

const TOKEN_HOURS = 24;
const POLL_MS = 100;
const CERTIFICATE_TIMEOUT_MS = 30_000;
/** How long a server may take to shake hands, in milliseconds. */
const CONNECT_MS = 10_000;

export interface JoinOptions {
  readonly server: string;
  /** `abcdef.0123456789abcdef`. */
  readonly token: string;
  /** `sha256:` and the hash of the authority's public key. */
  readonly caHash: string;
}

/** Makes a bootstrap token as kubeadm does: a Secret in kube-system that allows a node to ask for its certificate. */
export async function createJoinToken(transport: Transport, config: ClientConfig): Promise<{ readonly token: string; readonly caHash: string }> {
  const id = nameSuffix(systemRandom, 6);
  const secret = nameSuffix(systemRandom, 16);
  const data = {
    'token-id': id, 'token-secret': secret, 'usage-bootstrap-authentication': 'true', 'usage-bootstrap-signing': 'true',
    'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token', expiration: new Date(systemClock.now() + TOKEN_HOURS * 3_600_000).toISOString(),
  };
  await transport.create<Secret>(secrets, 'kube-system', {
    apiVersion: 'v1', kind: 'Secret', type: 'bootstrap.kubernetes.io/token', metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  });
  if (!config.ca) throw new LongshoreError('invalid', 'the kubeconfig names no certificate authority');
  return { token: `${id}.${secret}`, caHash: hashOf(config.ca) };
}

function hashOf(certificate: Buffer): string {
  return `sha256:${createHash('sha256').update(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })).digest('hex')}`;
}

/**
 * The node's own credentials: those that it kept, or new ones, which it asks for with the token. Kept ones that are over are replaced, where there is a token.
 * @throws LongshoreError `forbidden` (the server is not the one that the hash names, or the node's certificate is
 * over), `unauthorized` (it does not know the token), `unavailable` (it can't be reached), `timeout` (nobody signs)
 */
export async function nodeCredentials(folder: string, nodeName: string, options: JoinOptions | undefined): Promise<ClientConfig> {
  const file = join(folder, 'node.json');
  const kept = await readKept(file);
  const over = kept === undefined ? undefined : overSince(kept.certificate);
  if (kept && over === undefined) return configOf(kept);
  if (!options) {
    const remedy = 'Run the line that "longshore token" prints on the server.';
    if (over !== undefined) {
      throw new LongshoreError('forbidden', `this node's certificate is over since ${over}, by this machine's clock`, {
        object: `node ${nodeName}`,
        remedy: `See that the clock is right. ${remedy}`,
      });
    }
    throw new LongshoreError('invalid', 'this node has not joined a cluster yet', { object: `node ${nodeName}`, remedy });
  }
  try {
    return configOf(await askForCertificate(folder, nodeName, options));
  } catch (error) {
    throw explainJoin(error, options.server, 'token');
  }
}

/** What is kept of joining: PEM, all of it. */
interface Kept {
  readonly server: string;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly upstream?: UpstreamCluster;
}

/** What a node is to know of a cluster whose API server is not ours. */
export interface UpstreamCluster {
  /** PEM: who signs certificates of the clients of a node's API. */
  readonly clientCa: string;
  /** The controller manager's `--cluster-cidr`, and the API server's `--service-cluster-ip-range`. */
  readonly clusterCidr?: string;
  readonly serviceCidr?: string;
}

function configOf({ server, ca, certificate, key }: Kept): ClientConfig {
  return { server, ca: Buffer.from(ca), certificate: Buffer.from(certificate), key: Buffer.from(key) };
}

async function readKept(file: string): Promise<Kept | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Kept;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined;
    if (error instanceof SyntaxError) {
      throw new LongshoreError('internal', `${file} is damaged: ${error.message}`, {
        object: file,
        remedy: 'Delete it and join again, with the line that "longshore token" prints on the server.',
        cause: error,
      });
    }
    throw error;
  }
}

/** When the certificate ended, if it did. */
function overSince(certificate: string): string | undefined {
  const { validTo } = new X509Certificate(certificate);
  return Date.parse(validTo) < systemClock.now() ? validTo : undefined;
}

async function askForCertificate(folder: string, nodeName: string, options: JoinOptions): Promise<Kept> {
  const ca = await fetchAuthority(options);
  const pair = await newKey();
  const request = makeSigningRequest({ commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] }, pair);
  const transport = new HttpTransport({ config: { server: options.server, ca: Buffer.from(ca), token: options.token }, clock: systemClock });
  try {
    const made = await transport.create<CertificateSigningRequest>(certificateSigningRequests, undefined, {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { generateName: 'node-csr-' },
      spec: {
        request: Buffer.from(request).toString('base64'),
        signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
        usages: ['digital signature', 'client auth'],
      },
    });
    const certificate = await signed(transport, made.metadata?.name ?? '');
    const kept = { server: options.server, ca, certificate, key: keyPem(pair.privateKey) };
    await keep(folder, kept);
    return kept;
  } finally {
    transport.close();
  }
}

/**
 * Joins the cluster of a kubeconfig, whichever API server it has, in the place of what was joined before. The file's
 * client certificate says which node this is.
 * @returns the node's name
 * @throws LongshoreError `invalid` when the file is no node's, and what loadKubeconfig throws
 */
export async function joinByKubeconfig(
  folder: string,
  path: string,
  more: { readonly clientCa?: string; readonly clusterCidr?: string; readonly serviceCidr?: string },
): Promise<string> {
  const { ca, certificate, key, server } = await loadKubeconfig(path);
  const object = `kubeconfig ${path}`;
  const remedy = 'Name one such as the kubelet has: with a client certificate of the user system:node:NAME, in the group system:nodes.';
  if (!ca) throw new LongshoreError('invalid', 'it names no certificate authority', { object, remedy });
  if (!certificate || !key) throw new LongshoreError('invalid', 'its user has no client certificate', { object, remedy });
  const name = nodeOf(certificate);
  if (name === undefined) {
    throw new LongshoreError(
      'invalid',
      `its user is ${new X509Certificate(certificate).subject.replaceAll('\n', ', ')}, which is no node`,
      { object, remedy },
    );
  }
  const { clientCa, ...ranges } = more;
  const upstream = { clientCa: clientCa === undefined ? ca.toString() : await readFile(clientCa, 'utf8'), ...ranges };
  await keep(folder, { server, ca: ca.toString(), certificate: certificate.toString(), key: key.toString(), upstream });
  return name;
}

/** What was told of a cluster whose API server is not ours; undefined for one of ours. */
export async function joinedUpstream(folder: string): Promise<UpstreamCluster | undefined> {
  return (await readKept(join(folder, 'node.json')))?.upstream;
}

async function keep(folder: string, kept: Kept): Promise<void> {
  const file = join(folder, 'node.json');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(file + '.new', JSON.stringify(kept), { mode: 0o600 });
  await rename(file + '.new', file);
}

function nodeOf(certificate: string | Buffer): string | undefined {
  return /^CN=system:node:(.+)$/m.exec(new X509Certificate(certificate).subject)?.[1];
}

/** The name under which this machine has joined a cluster; undefined when it has not. */
export async function joinedName(folder: string): Promise<string | undefined> {
  const kept = await readKept(join(folder, 'node.json'));
  return kept && nodeOf(kept.certificate);
}

async function signed(transport: Transport, name: string): Promise<string> {
  for (const end = systemClock.monotonic() + CERTIFICATE_TIMEOUT_MS; systemClock.monotonic() < end; await systemClock.sleep(POLL_MS)) {
    const { status } = await transport.get<CertificateSigningRequest>(certificateSigningRequests, undefined, name);
    if (status?.certificate) return Buffer.from(status.certificate, 'base64').toString();
    const denied = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed');
    if (denied) {
      throw new LongshoreError(
        'forbidden',
        `the request for a certificate was ${denied.type?.toLowerCase()}: ${denied.message ?? denied.reason}`,
        { object: `certificatesigningrequest ${name}` },
      );
    }
  }
  throw new LongshoreError('timeout', `nobody signed the request for a certificate within ${CERTIFICATE_TIMEOUT_MS / 1000} s`, {
    object: `certificatesigningrequest ${name}`,
    remedy: `On the server: kubectl certificate approve ${name}`,
  });
}

/** The certificate of the authority behind the server, which must have the hash that the token came with. */
async function fetchAuthority({ server, caHash }: JoinOptions): Promise<string> {
  const { hostname, port } = new URL(server);
  const chain = await new Promise<X509Certificate[]>((resolve, reject) => {
    // Not verified by a trusted root: it is the hash below that says whether this is the server which was meant.
    const socket = tlsConnect({ host: hostname, port: Number(port || 443), rejectUnauthorized: false, servername: 'kubernetes' }, () => {
      const found: X509Certificate[] = [];
      for (let certificate = socket.getPeerX509Certificate(); certificate; certificate = certificate.issuerCertificate) {
        found.push(certificate);
        if (certificate.issuerCertificate?.fingerprint256 === certificate.fingerprint256) break;
      }
      socket.end();
      resolve(found);
    });
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error(`no connection within ${CONNECT_MS / 1000} s`)));
    socket.on('error', (error) => reject(new LongshoreError('unavailable', `${server} can't be reached: ${error.message}`, { object: server, cause: error })));
  });
  const authority = chain.find((certificate) => certificate.ca && hashOf(Buffer.from(certificate.toString())) === caHash);
  const leaf = chain[0];
  if (authority && leaf && (leaf === authority || leaf.verify(authority.publicKey))) return authority.toString();
  const announced = await announcedAuthority(server, caHash, leaf);
  if (announced) return announced;
  throw new LongshoreError('forbidden', `${server} does not show a certificate authority with the hash ${caHash}`, {
    object: server,
    remedy: 'Take the line that "longshore token" prints on the server itself.',
  });
}

/** The authority that the server announces to anybody in `kube-public/cluster-info`, if it has the hash and made the server's certificate. */
async function announcedAuthority(server: string, caHash: string, leaf: X509Certificate | undefined): Promise<string | undefined> {
  if (!leaf) return undefined;
  const transport = new HttpTransport({ config: { server, insecureSkipTlsVerify: true }, clock: systemClock });
  try {
    const { configMaps } = await import('../client/resources.ts');
    const info = await transport.get<ConfigMap>(configMaps, 'kube-public', 'cluster-info');
    const data = /certificate-authority-data:\s*(\S+)/.exec(info.data?.kubeconfig ?? '')?.[1];
    if (!data) return undefined;
    const pem = Buffer.from(data, 'base64');
    return hashOf(pem) === caHash && leaf.verify(new X509Certificate(pem).publicKey) ? pem.toString() : undefined;
  } finally {
    transport.close();
  }
}
