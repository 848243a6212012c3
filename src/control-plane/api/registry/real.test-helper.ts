import { applyPatch, trackUpdate } from '../apply/apply.ts';
import { kubernetesRules } from '../rules/rules.ts';
import { fixture, type Fixture } from './fixtures.test-helper.ts';
import type { RegistryOptions } from './open.ts';

/** A registry with the rules of the real kinds. */
export function realFixture(options: Partial<RegistryOptions> = {}): Promise<Fixture> {
  return fixture({ rules: kubernetesRules, applyPatch, trackUpdate, ...options });
}
