import { rfc3339 } from '../../../lib/clock.ts';
import { LABEL } from '../view.ts';
import type { NodeApiOptions } from './request.ts';

/** `/stats/summary`: what the pods of this node use, in the kubelet's form (stats.v1alpha1). */
export async function statsSummary({ agent, cri, clock, nodeName }: NodeApiOptions): Promise<unknown> {
  const all = await cri.listContainerStats();
  return {
    node: { nodeName },
    pods: agent.pods().map((pod) => {
      const own = all.filter(({ labels }) => labels[LABEL.podUid] === pod.metadata?.uid);
      const time = rfc3339(clock.now());
      return {
        podRef: { name: pod.metadata?.name, namespace: pod.metadata?.namespace, uid: pod.metadata?.uid },
        startTime: pod.status?.startTime,
        containers: own.map((stats) => ({
          name: stats.metadata.name,
          cpu: { time, usageCoreNanoSeconds: Number(stats.cpuUsageCoreNanoSeconds) },
          memory: { time, workingSetBytes: Number(stats.memoryWorkingSetBytes), usageBytes: Number(stats.memoryUsageBytes) },
        })),
      };
    }),
  };
}
