import type { ConfigMap, Secret } from '../../../../types/kubernetes/generated/core-v1.ts';
import { messageOf } from '../../../../lib/errors.ts';
import { checked, same } from './common.ts';
import { type Errors, Path } from './errors.ts';
import { byteLength, configKey } from './formats.ts';
import { rulesOf } from './kind.ts';

const MAX_BYTES = 1024 * 1024;
const DATA = new Path('data');
const BINARY = new Path('binaryData');

/** Bytes that base64 text stands for. */
function decodedLength(text: string): number {
  return (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
}

function createConfigMap(map: ConfigMap, errors: Errors): void {
  let total = 0;
  for (const key in map.data) {
    checked(key, configKey, errors, DATA.key(key));
    if (map.binaryData !== undefined && Object.hasOwn(map.binaryData, key)) {
      errors.invalid(DATA.key(key), key, 'duplicate of key present in binaryData');
    }
    total += byteLength(map.data[key]!);
  }
  for (const key in map.binaryData) {
    checked(key, configKey, errors, BINARY.key(key));
    total += decodedLength(map.binaryData[key]!);
  }
  if (total > MAX_BYTES) errors.tooLong(new Path(''), MAX_BYTES);
}

/** What `immutable: true` forbids. */
function validateFrozen(now: object, old: { readonly immutable?: boolean }, fields: readonly string[], errors: Errors): void {
  if (old.immutable !== true) return;
  const why = 'field is immutable when `immutable` is set';
  if ((now as { immutable?: boolean }).immutable !== true) errors.forbidden(new Path('immutable'), why);
  for (const field of fields) {
    if (!same((now as Record<string, unknown>)[field], (old as Record<string, unknown>)[field])) {
      errors.forbidden(new Path(field), why);
    }
  }
}

export const CONFIG_MAP = rulesOf<ConfigMap>({
  create: createConfigMap,
  update: (map, old, errors) => {
    validateFrozen(map, old, ['data', 'binaryData'], errors);
    createConfigMap(map, errors);
  },
});

const ACCOUNT = 'kubernetes.io/service-account.name';

function createSecret(secret: Secret, errors: Errors): void {
  const data = secret.data ?? {};
  const has = (key: string): boolean => Object.hasOwn(data, key);
  let total = 0;
  for (const key in data) {
    checked(key, configKey, errors, DATA.key(key));
    total += decodedLength(data[key]!);
  }
  if (total > MAX_BYTES) errors.tooLong(DATA, MAX_BYTES);
  switch (secret.type) {
    case 'kubernetes.io/service-account-token':
      if ((secret.metadata?.annotations?.[ACCOUNT] ?? '') === '') errors.required(new Path('metadata').child('annotations').key(ACCOUNT));
      break;
    case 'kubernetes.io/dockercfg': return validateJson('.dockercfg', data, errors);
    case 'kubernetes.io/dockerconfigjson': return validateJson('.dockerconfigjson', data, errors);
    case 'kubernetes.io/basic-auth':
      if (!has('username') && !has('password')) for (const key of ['username', 'password']) errors.required(DATA.key(key));
      break;
    case 'kubernetes.io/ssh-auth':
      if (!has('ssh-privatekey') || data['ssh-privatekey'] === '') errors.required(DATA.key('ssh-privatekey'));
      break;
    case 'kubernetes.io/tls':
      for (const key of ['tls.crt', 'tls.key']) if (!has(key)) errors.required(DATA.key(key));
      break;
    default:
  }
}

function validateJson(key: string, data: Readonly<Record<string, string>>, errors: Errors): void {
  const text = Object.hasOwn(data, key) ? data[key] : undefined;
  if (text === undefined) return errors.required(DATA.key(key));
  let wrong = '';
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64').toString());
    if (typeof value !== 'object' || Array.isArray(value)) {
      wrong = `json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type map[string]interface {}`;
    }
  } catch (error) {
    // What is in it is a secret: JavaScript's message may quote it.
    wrong = text === '' ? 'unexpected end of JSON input' : messageOf(error).replace(/"[^]*$/, '').trim();
  }
  if (wrong !== '') errors.invalid(DATA.key(key), '<secret contents redacted>', wrong);
}

export const SECRET = rulesOf<Secret>({
  create: createSecret,
  update: (secret, old, errors) => {
    if (secret.type !== old.type) errors.invalid(new Path('type'), secret.type, 'field is immutable');
    validateFrozen(secret, old, ['data'], errors);
    createSecret(secret, errors);
  },
});
