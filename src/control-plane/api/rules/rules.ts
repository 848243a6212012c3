import type { Rules } from '../contract.ts';
import { decodeKind } from './decode/decode.ts';
import { applyDefaults } from './defaults/defaults.ts';
import { validate } from './validation/validate.ts';
import { warnings } from './warnings/warnings.ts';

/** The rules of all built-in kinds: what a body must look like, what is filled in, what is refused, what is advised against. Pure, and without state. */
export const kubernetesRules: Rules = { decode: decodeKind, applyDefaults, validate, warnings };
