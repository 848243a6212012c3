import { TEXT } from './description-table.ts';

/** For types of every kind that has them. */
const COMMON: Readonly<Record<string, string>> = {
  apiVersion: 'Group and version in which the object is written, as in apps/v1',
  kind: 'What the object is, as in Deployment',
  metadata: 'Name, namespace, labels and the like',
  spec: 'What is wanted',
  status: 'What is; written by the platform',
};

export interface Description {
  readonly text: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Full name of a type, from the short one. */
function fullName(short: string): string {
  if (short.startsWith('meta.v1.')) return `io.k8s.apimachinery.pkg.apis.${short}`;
  const [, group = '', rest = ''] = /^([a-z0-9.-]+?)\.(v\d\w*\.\w+)$/.exec(short) ?? [];
  return `io.k8s.api.${group.split('.', 1)[0]}.${rest}`;
}

function parse(): ReadonlyMap<string, Description> {
  const found = new Map<string, { readonly text: string; readonly fields: Map<string, string> }>();
  let fields = new Map<string, string>();
  for (const line of TEXT.split('\n')) {
    const [, margin = '', name = '', text = ''] = /^( *)([\w.-]+):? (.*)$/.exec(line) ?? [];
    if (margin !== '') fields.set(name, text);
    else if (name !== '') found.set(fullName(name), { text, fields: (fields = new Map()) });
  }
  return found;
}

let parsed: ReadonlyMap<string, Description> | undefined;

/** All types that are described, by their full name. */
export function descriptions(): ReadonlyMap<string, Description> {
  return (parsed ??= parse());
}

/** What is said of a type, if anything is. */
export function describeType(type: string): string | undefined {
  return descriptions().get(type)?.text;
}

/** What is said of a field, if anything is. @param isKind the type is one that has an apiVersion and a kind */
export function describeField(type: string, field: string, isKind: boolean): string | undefined {
  return descriptions().get(type)?.fields.get(field) ?? (isKind && Object.hasOwn(COMMON, field) ? COMMON[field] : undefined);
}
