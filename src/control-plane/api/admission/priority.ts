import type { PriorityClass } from '../../../types/kubernetes/generated/scheduling-v1.ts';
import type { KubeObject } from '../../../types/kubernetes/meta.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../contract.ts';
import type { Lookup } from '../lookup.ts';
import { concerns, draftPod, refuse, type DraftPod } from './plugin.ts';

const GROUP = 'scheduling.k8s.io';
const PREEMPT = 'PreemptLowerPriority';

/** Turns the name of a priority class into the number that the scheduler compares; keeps default classes to one. */
export class PriorityAdmission implements AdmissionPlugin {
  readonly name = 'Priority';
  readonly #lookup: Lookup;

  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  handles(at: Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>): boolean {
    return concerns(at, '', 'pods', 'CREATE') || concerns(at, GROUP, 'priorityclasses', 'CREATE', 'UPDATE');
  }

  mutate(at: AdmissionAttributes): KubeObject | undefined {
    if (at.resource.resource !== 'pods') return undefined;
    const pod = draftPod(at);
    const { spec } = pod;
    const { name, value, policy } = this.#classOf(at, pod);
    if (spec.priority !== undefined && spec.priority !== value) {
      throw refuse(
        at,
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
    }
    if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
      throw refuse(
        at,
        `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      );
    }
    if (name !== '') spec.priorityClassName = name;
    spec.priority = value;
    spec.preemptionPolicy = policy;
    return pod;
  }

  validate(at: AdmissionAttributes): void {
    if (at.resource.resource !== 'priorityclasses') return;
    const wanted = at.object as PriorityClass;
    if (wanted.globalDefault !== true) return;
    const present = this.#default();
    if (present !== undefined && present.metadata?.name !== wanted.metadata?.name) {
      throw refuse(at, `PriorityClass ${present.metadata?.name ?? ''} is already marked as default. Only one default can exist`);
    }
  }

  #classOf(at: AdmissionAttributes, pod: DraftPod): { name: string; value: number; policy: string } {
    const name = pod.spec.priorityClassName ?? '';
    if (name === '') {
      const found = this.#default();
      return { name: found?.metadata?.name ?? '', value: found?.value ?? 0, policy: found?.preemptionPolicy ?? PREEMPT };
    }
    const found = this.#lookup.get<PriorityClass>(GROUP, 'priorityclasses', undefined, name);
    if (found === undefined) throw refuse(at, `no PriorityClass with name ${name} was found`);
    return { name, value: found.value, policy: found.preemptionPolicy ?? PREEMPT };
  }

  /** The one marked as default; of several, which only an old race can leave, the smallest. */
  #default(): PriorityClass | undefined {
    let found: PriorityClass | undefined;
    for (const one of this.#lookup.list<PriorityClass>(GROUP, 'priorityclasses', undefined)) {
      if (one.globalDefault === true && (found === undefined || one.value < found.value)) found = one;
    }
    return found;
  }
}
