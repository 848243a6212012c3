import type { KubeObject } from '../../../../types/kubernetes/meta.ts';
import type { ResourceInfo } from '../../../../types/kubernetes/resource-info.ts';
import type { FieldError } from '../../contract.ts';
import { Errors } from './errors.ts';
import { dnsSubdomain } from './formats.ts';
import { type KindRules, rulesOf } from './kind.ts';
import { namedBy, validateMetadata, validateMetadataUpdate } from './metadata.ts';
import { rulesFor } from './kinds.ts';

const NONE: readonly FieldError[] = [];
const SUBDOMAIN = namedBy(dnsSubdomain);
const GENERAL: KindRules = rulesOf({});

/** What is wrong with an object, in the API server's order and words; empty when it is valid. */
export function validate(resource: ResourceInfo, object: KubeObject, old: KubeObject | undefined, subresource: string | undefined): readonly FieldError[] {
  const rules = rulesFor(resource.schema) ?? GENERAL;
  const errors = new Errors();
  if (old === undefined) {
    if (rules.metadataLast === true) rules.create?.(object, errors);
    if (rules.nameless !== true && errors.list.length === 0) {
      validateMetadata(object.metadata, resource.namespaced, rules.name ?? SUBDOMAIN, errors);
    }
    if (rules.metadataLast !== true) rules.create?.(object, errors);
  } else {
    validateMetadataUpdate(object.metadata, old.metadata, errors);
    if (subresource === undefined || subresource === '') rules.update?.(object, old, errors);
    else rules.subresources?.[subresource]?.(object, old, errors);
  }
  return errors.list.length === 0 ? NONE : errors.list;
}
