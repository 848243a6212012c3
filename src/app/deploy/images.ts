import type { Deployment } from '../../types/kubernetes/generated/apps-v1.ts';
import type { PodSpec, Service } from '../../types/kubernetes/generated/core-v1.ts';
import type { KubeObject } from '../../types/kubernetes/meta.ts';

/** An image that `up` has built. */
export interface BuiltImage {
  readonly name: string;
  /** The configuration's digest. */
  readonly id: string;
  /** As in `8080/tcp`. */
  readonly ports: readonly string[];
}

/** On a pod template: which images were built for it. A change of it is a rollout. */
const BUILT = 'longshore.dev/built';
/** What replaces its pods when its template changes. */
const ROLLED = ['Deployment', 'StatefulSet', 'DaemonSet'];

/**
 * The objects, with the ids of built images noted in the templates that use them: the same name with another image
 * inside rolls out, and the same image does not.
 */
export function noteImages(objects: readonly KubeObject[], images: readonly BuiltImage[]): KubeObject[] {
  return objects.map((object) => {
    const { spec } = object as Deployment;
    const pod = spec?.template?.spec;
    if (!ROLLED.includes(object.kind ?? '') || !spec || !pod) return object;
    const names = imagesOf(pod);
    const used = images.filter(({ name }) => names.has(name));
    if (used.length === 0) return object;
    const note = used.map(({ name, id }) => `${name}@${id.slice(0, 19)}`).sort().join(' ');
    const { metadata } = spec.template;
    return {
      ...object,
      spec: {
        ...spec,
        template: { ...spec.template, metadata: { ...metadata, annotations: { ...metadata?.annotations, [BUILT]: note } } },
      },
    } as KubeObject;
  });
}

/** Full names, since `app` and `app:latest` are one. */
function imagesOf({ containers, initContainers = [] }: PodSpec): ReadonlySet<string> {
  return new Set([...containers, ...initContainers].flatMap(({ image }) => (image === undefined ? [] : [image, image.replace(/:latest$/, '')])));
}

/**
 * What a Dockerfile alone is deployed as: a Deployment named after its folder, and, for the ports that the image exposes, a Service
 * which answers on this machine too.
 */
export function objectsFor({ name: image, ports }: BuiltImage): KubeObject[] {
  const name = image.replace(/^.*\//, '').replace(/:.*$/, '').replaceAll(/[^a-z0-9-]+/g, '-').replaceAll(/^[-0-9]+|-+$/g, '').slice(0, 63) || 'app';
  const labels = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/managed-by': 'longshore' };
  const exposed = ports
    .map((port) => port.split('/') as [string, string?])
    .map(([port, protocol = 'tcp']) => ({ port: Number(port), protocol: protocol.toUpperCase(), name: `${protocol}-${port}` }))
    .sort((a, b) => a.port - b.port);
  const deployment: Deployment = {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: { 'app.kubernetes.io/name': name } },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            {
              name: 'app',
              image,
              ports: exposed.map(({ name: portName, port, protocol }) => ({ name: portName, containerPort: port, protocol })),
            },
          ],
        },
      },
    },
  };
  if (exposed.length === 0) return [deployment];
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: {
      type: 'NodePort',
      selector: { 'app.kubernetes.io/name': name },
      ports: exposed.map(({ name: portName, port, protocol }) => ({ name: portName, port, protocol, targetPort: portName })),
    },
  };
  return [service, deployment];
}
