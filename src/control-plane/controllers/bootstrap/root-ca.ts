import { configMaps } from '../../../client/resources.ts';
import type { ConfigMap } from '../../../types/kubernetes/generated/core-v1.ts';
import type { ControllerContext, RunningController } from '../context.ts';
import { semanticEqual } from '../shared/equal.ts';
import { PerNamespaceController } from './per-namespace.ts';

const NOTE = 'kubernetes.io/description';
const DESCRIPTION =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.';

/** Publishes the certificate authority of the API server in every namespace, for pods to verify it by. */
export function createRootCaPublisher(context: ControllerContext): RunningController | undefined {
  const { rootCa } = context.options;
  if (rootCa === undefined) return undefined;
  const data = { 'ca.crt': rootCa };
  return new PerNamespaceController<ConfigMap>(context, {
    name: 'root-ca-cert-publisher', resource: configMaps,
    object: { metadata: { name: 'kube-root-ca.crt', annotations: { [NOTE]: DESCRIPTION } }, data },
    repair: (present) =>
      semanticEqual(present.data, data) && present.metadata!.annotations?.[NOTE] === DESCRIPTION
        ? undefined
        : { ...present, metadata: { ...present.metadata, annotations: { ...present.metadata!.annotations, [NOTE]: DESCRIPTION } }, data },
  });
}
