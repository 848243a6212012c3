import { Api, each } from './api.ts';
import { prepared, type KubeSide } from './side.ts';

export const PODS = 3000;
export const PREFIX = 'bench';
/** Its namespace holds nothing else but them. */
export const NAMESPACE = 'bench-list';

/** The pods of the rows that list and patch: PREFIX-1 to PREFIX-3000, a label `app` of a hundred values, scheduled by nobody. */
export async function thousands(side: KubeSide): Promise<void> {
  await prepared(side, 'pods', async () => {
    using api = new Api(side, 32);
    await api.send('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    for (let tries = 0; tries < 100; tries++) {
      const { items } = await api.send<{ items: unknown[] }>('GET', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`);
      if (items.length > 0) break;
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
    await each(PODS, 32, async (index) => await api.send('POST', `/api/v1/namespaces/${NAMESPACE}/pods`, pod(index + 1)));
  });
}

function pod(index: number): unknown {
  return {
    apiVersion: 'v1', kind: 'Pod', metadata: { name: `${PREFIX}-${index}`, labels: { app: `a${index % 100}`, tier: 'x' } },
    spec: {
      schedulerName: 'nobody',
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'c',
          image: 'busybox',
          env: Array.from({ length: 10 }, (_, at) => ({ name: `VARIABLE_${at}`, value: `value ${at}` })),
          resources: { requests: { cpu: '10m', memory: '16Mi' } },
        },
      ],
    },
  };
}
