import type { Node, Service } from '../../types/kubernetes/generated/core-v1.ts';

/** What `startControllers` lets one choose; all have defaults. */
export interface ControllersOptions {
  /** PEM; published in every namespace as the config map kube-root-ca.crt. Without it that controller does not run. */
  readonly rootCa?: string;
  /** Addresses of pods; each node gets a part of it. Without it nodes get no podCIDR from us. */
  readonly clusterCidr?: string;
  /** Size of a node's part, as a prefix length. */
  readonly nodeCidrMaskSize?: number;
  /** A node that was not heard of for so long is Unknown. */
  readonly nodeMonitorGraceMs?: number;
  /** Finished pods beyond this many are deleted, oldest first. 0: never. */
  readonly terminatedPodThreshold?: number;
  /** Signs the request of a CertificateSigningRequest: PEM in, PEM out. Without it requests stay unsigned. */
  readonly signCertificate?: (request: CertificateToSign) => Promise<string>;
  /** Addresses that a LoadBalancer Service gets. Without it such services stay pending. */
  readonly loadBalancerIngress?: (service: Service, nodes: Iterable<Node>) => readonly { readonly ip?: string; readonly hostname?: string }[];
  /** The folder of each node beneath which volumes of the class `standard` are made. Without it none are made. */
  readonly localPathRoot?: string;
  /** Deletes a folder below it and all it holds, on that node. Without it such volumes end as Failed, and say so. */
  readonly removeLocalPath?: (node: string, path: string) => Promise<void>;
}

export interface CertificateToSign {
  readonly requestPem: string;
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly expirationSeconds: number | undefined;
}
