import { copyOwn, isObject, setOwn } from './own.ts';

/**
 * Applies a JSON Merge Patch (RFC 7386): null removes, objects merge, all
 * else replaces. What is given is left as it is; the result may share parts.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const out = isObject(target) ? copyOwn(target) : {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) delete out[key];
    else setOwn(out, key, mergePatch(Object.hasOwn(out, key) ? out[key] : undefined, value));
  }
  return out;
}
