import type { Discovery, Facts, ResourceFacts } from './facts.ts';

const quote = (text: string): string => `'${text}'`;
const list = (items: readonly string[]): string => `[${items.map(quote).join(', ')}]`;

/** Constants that name resources: each in its group's preferred version. */
export function writeRefs(discovery: Discovery): string {
  const rows = discovery.groups.flatMap((g) =>
    g.versions.slice(0, 1).flatMap((v) => v.resources.map((r) => ({ group: g.group, version: v.version, r, kind: r.kind.split('/')[2]! }))),
  );
  const taken = new Set<string>();
  const lines = rows.map(({ group, version, r, kind }) => {
    let name = camelPlural(kind, r.resource);
    // events.k8s.io/v1 events: the core group's come first and keep the plain name.
    if (taken.has(name)) name = group.split('.')[0]! + name[0]!.toUpperCase() + name.slice(1);
    taken.add(name);
    return `export const ${name}: ResourceRef = { group: ${quote(group)}, version: ${quote(version)}, resource: ${quote(r.resource)}, kind: ${quote(kind)}, namespaced: ${r.scope === 'Namespaced'} };\n`;
  });
  return `import type { ResourceRef } from '../meta.ts';\n\n${lines.join('')}`;
}

/** `EndpointSlice` and `endpointslices` as `endpointSlices`: the kind's humps on the plural's letters; a leading acronym is lowered as a whole. */
function camelPlural(kind: string, plural: string): string {
  let humps = '';
  for (let n = 0; n < plural.length; n++) {
    const letter = kind[n] ?? '';
    humps += letter !== plural[n] && letter.toLowerCase() === plural[n] ? letter : plural[n];
  }
  const run = /^[A-Z]+/.exec(humps)?.[0].length ?? 0;
  const lowered = run > 1 && run < humps.length ? run - 1 : run;
  return humps.slice(0, lowered).toLowerCase() + humps.slice(lowered);
}

/** The table of all served resources, groups and versions in the order of the API server. */
export function writeResources(discovery: Discovery, facts: Facts): string {
  const verbSets = new Map<string, string>();
  const verbs = (set: readonly string[]): string => {
    const key = list(set);
    if (!verbSets.has(key)) verbSets.set(key, `V${verbSets.size}`);
    return verbSets.get(key)!;
  };
  const schema = (group: string, version: string, kind: string): string => {
    const found = facts.kinds.find((k) => k.group === group && k.version === version && k.kind === kind);
    if (found === undefined) throw new Error(`no Go type for ${group}/${version} ${kind}`);
    return found.type;
  };
  const groups = discovery.groups.map((g) => `  { group: ${quote(g.group)}, versions: ${list(g.versions.map((v) => v.version))} },\n`);
  const rows = discovery.groups.flatMap((g) => g.versions.flatMap((v) => v.resources.map((r) => row(g.group, v.version, r, verbs, schema))));
  const constants = [...verbSets].map(([text, name]) => `const ${name} = ${text};\n`).join('');
  return (
    `import type { ResourceInfo } from '../resource-info.ts';\n\n${constants}const NONE: readonly never[] = [];\n\n` +
    `/** API groups in order of preference; the first version is the preferred one. '' is the core group. */\nexport const GROUPS: readonly { readonly group: string; readonly versions: readonly string[] }[] = [\n${groups.join('')}];\n\n` +
    `export const RESOURCES: readonly ResourceInfo[] = [\n${rows.join('')}];\n`
  );
}

function row(
  group: string,
  version: string,
  r: ResourceFacts,
  verbs: (set: readonly string[]) => string,
  schema: (group: string, version: string, kind: string) => string,
): string {
  const own = r.kind.split('/');
  const [g, v, kind] = [own[0] || group, own[1] || version, own[2]!];
  const some = (items: readonly string[] | undefined): string => (items === undefined || items.length === 0 ? 'NONE' : list(items));
  const subresources = (r.subresources ?? []).map((s) => {
    const [sg, sv, sk] = s.kind.split('/') as [string, string, string];
    const elsewhere = sv !== '' && (sg !== group || sv !== version) ? `, group: ${quote(sg)}, version: ${quote(sv)}` : '';
    return `{ name: ${quote(s.name)}, verbs: ${verbs(s.verbs)}, kind: ${quote(sk)}${elsewhere} }`;
  });
  return (
    `  { group: ${quote(group)}, version: ${quote(version)}, resource: ${quote(r.resource)}, singular: ${quote(r.singular)}, kind: ${quote(kind)}, namespaced: ${r.scope === 'Namespaced'}, ` +
    `verbs: ${verbs(r.verbs)}, shortNames: ${some(r.shortNames)}, categories: ${some(r.categories)}, schema: ${quote(schema(g, v, kind))},\n    ` +
    `subresources: ${subresources.length === 0 ? 'NONE' : `[${subresources.join(', ')}]`} },\n`
  );
}
