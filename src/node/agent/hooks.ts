import { messageOf } from '../../lib/errors.ts';
import type { Container, LifecycleHandler } from '../../types/kubernetes/generated/core-v1.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Cri } from '../cri/cri.ts';
import { httpGet } from './probes/check.ts';

/**
 * Runs a postStart or preStop handler.
 * @returns why it failed; undefined when it did not
 */
export async function runHook(
  cri: Pick<Cri, 'execSync'>,
  clock: Clock,
  handler: LifecycleHandler,
  container: Container,
  containerId: string,
  address: string,
  timeoutMs: number,
): Promise<string | undefined> {
  try {
    if (handler.exec) {
      const { exitCode, stdout, stderr } = await cri.execSync(containerId, handler.exec.command ?? [], timeoutMs / 1000);
      return exitCode === 0
        ? undefined
        : `command '${(handler.exec.command ?? []).join(' ')}' exited with ${exitCode}: ${Buffer.concat([stdout, stderr]).toString().slice(0, 1024)}`;
    }
    if (handler.httpGet) {
      const { ok, output } = await httpGet(handler.httpGet, { containerId, container, address }, timeoutMs, 'kube-lifecycle/1.36');
      return ok ? undefined : output;
    }
    if (handler.sleep) await clock.sleep(Math.min(timeoutMs, handler.sleep.seconds * 1000));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
