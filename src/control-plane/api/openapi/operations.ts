import type { ResourceInfo, SubresourceInfo } from '../../../types/kubernetes/resource-info.ts';
import { schemaOf } from '../../../types/kubernetes/schema.ts';
import type { Flavour, GroupVersionKind, Schema, SchemaCollector } from './schemas.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const MEDIA = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const STREAMS = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];
const PATCHES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const METHODS: Readonly<Record<string, string>> = {
  get: 'get',
  list: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
};
const DESCRIPTIONS: Readonly<Record<string, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };
const WORDS: Readonly<Record<string, string>> = {
  get: 'read',
  list: 'list',
  create: 'create',
  update: 'replace',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
};
const ACTIONS: Readonly<Record<string, string>> = {
  get: 'get',
  list: 'list',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'deletecollection',
};

/** Query parameters by verb; kubectl looks for `dryRun` and `fieldValidation` before it uses them. */
const QUERY: Readonly<Record<string, readonly (readonly [string, 'string' | 'integer' | 'boolean'])[]>> = {
  get: [],
  list: [
    ['allowWatchBookmarks', 'boolean'],
    ['continue', 'string'],
    ['fieldSelector', 'string'],
    ['labelSelector', 'string'],
    ['limit', 'integer'],
    ['resourceVersion', 'string'],
    ['resourceVersionMatch', 'string'],
    ['sendInitialEvents', 'boolean'],
    ['timeoutSeconds', 'integer'],
    ['watch', 'boolean'],
  ],
  create: [
    ['dryRun', 'string'],
    ['fieldManager', 'string'],
    ['fieldValidation', 'string'],
  ],
  update: [
    ['dryRun', 'string'],
    ['fieldManager', 'string'],
    ['fieldValidation', 'string'],
  ],
  patch: [
    ['dryRun', 'string'],
    ['fieldManager', 'string'],
    ['fieldValidation', 'string'],
    ['force', 'boolean'],
  ],
  delete: [
    ['dryRun', 'string'],
    ['gracePeriodSeconds', 'integer'],
    ['orphanDependents', 'boolean'],
    ['propagationPolicy', 'string'],
  ],
  deletecollection: [
    ['continue', 'string'],
    ['dryRun', 'string'],
    ['fieldSelector', 'string'],
    ['gracePeriodSeconds', 'integer'],
    ['labelSelector', 'string'],
    ['limit', 'integer'],
    ['orphanDependents', 'boolean'],
    ['propagationPolicy', 'string'],
    ['resourceVersion', 'string'],
    ['resourceVersionMatch', 'string'],
    ['sendInitialEvents', 'boolean'],
    ['timeoutSeconds', 'integer'],
  ],
};

export type Paths = Record<string, Record<string, unknown>>;

/** The paths of one group and version, and the schemas that they speak of, which go into `schemas`. */
export function groupVersionPaths(rows: readonly ResourceInfo[], schemas: SchemaCollector, flavour: Flavour): Paths {
  const paths: Paths = {};
  schemas.addPlain(`${META}Patch`, { type: 'object' });
  for (const row of rows) {
    const own: GroupVersionKind = { group: row.group, version: row.version, kind: row.kind };
    if (schemaOf(row.schema) === undefined) continue;
    schemas.add(row.schema, own);
    schemas.add(`${META}DeleteOptions`, { group: row.group, version: row.version, kind: 'DeleteOptions' });
    schemas.add(`${META}Status`, { group: '', version: 'v1', kind: 'Status' });
    const root = row.group === '' ? `/api/${row.version}` : `/apis/${row.group}/${row.version}`;
    const base = row.namespaced ? `${root}/namespaces/{namespace}/${row.resource}` : `${root}/${row.resource}`;
    const list = row.verbs.includes('list') ? schemas.addList(row.schema, own) : row.schema;
    const at = (path: string, verbs: readonly string[], body: string, answer: string, gvk: GroupVersionKind, sub = ''): void => {
      const used = verbs.filter((verb) => verb in METHODS);
      if (used.length === 0) return;
      paths[path] = {
        ...Object.fromEntries(
          used.map((verb) => [
            METHODS[verb]!,
            operation(
              row,
              verb,
              body,
              verb === 'list' ? list : verb === 'deletecollection' ? `${META}Status` : answer,
              gvk,
              schemas,
              flavour,
              `${sub}${path.includes('{namespace}') || !row.namespaced ? '' : 'ForAllNamespaces'}`,
            ),
          ]),
        ),
        parameters: pathParameters(path, flavour),
      };
    };
    at(base, row.verbs.filter((verb) => verb === 'list' || verb === 'create' || verb === 'deletecollection'), row.schema, row.schema, own);
    at(`${base}/{name}`, row.verbs.filter((verb) => verb === 'get' || verb === 'update' || verb === 'patch' || verb === 'delete'), row.schema, row.schema, own);
    if (row.namespaced && row.verbs.includes('list')) at(`${root}/${row.resource}`, ['list'], row.schema, row.schema, own);
    for (const sub of row.subresources) {
      const gvk = { group: sub.group ?? row.group, version: sub.version ?? row.version, kind: sub.kind };
      const type = subresourceType(row, sub);
      if (type === undefined) continue;
      schemas.add(type, gvk);
      at(`${base}/{name}/${sub.name}`, sub.verbs, type, type, gvk, capital(sub.name));
    }
  }
  return paths;
}

/** The type of a subresource's body; undefined for those that carry no object (proxy, exec, log). */
function subresourceType(row: ResourceInfo, sub: SubresourceInfo): string | undefined {
  if (sub.kind === row.kind && sub.name !== 'log') return row.schema;
  const known: Readonly<Record<string, string>> = {
    Scale: 'io.k8s.api.autoscaling.v1.Scale',
    Eviction: 'io.k8s.api.policy.v1.Eviction',
    Binding: 'io.k8s.api.core.v1.Binding',
    TokenRequest: 'io.k8s.api.authentication.v1.TokenRequest',
  };
  const name = known[sub.kind];
  return name !== undefined && schemaOf(name) !== undefined ? name : undefined;
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

/** `appsV1`, `coreV1`, `rbacAuthorizationV1`: a group and version within the name of an operation. */
function idPart(row: ResourceInfo): string {
  const group = row.group === '' ? 'core' : row.group.replace(/\.k8s\.io$/, '');
  return group.split('.').map(capital).join('') + capital(row.version);
}

function operation(
  row: ResourceInfo,
  verb: string,
  body: string,
  answer: string,
  gvk: GroupVersionKind,
  schemas: SchemaCollector,
  flavour: Flavour,
  suffix: string,
): unknown {
  const scope = row.namespaced && !suffix.endsWith('ForAllNamespaces') ? 'Namespaced' : '';
  const id = `${WORDS[verb]!}${idPart(row)}${verb === 'deletecollection' ? 'Collection' : ''}${scope}${row.kind}${suffix}`;
  const query = QUERY[verb]!.map(([name, type]) =>
    flavour === 2 ? { name, in: 'query', type, uniqueItems: true } : { name, in: 'query', schema: { type, uniqueItems: true } },
  );
  const sends =
    verb === 'create' || verb === 'update'
      ? body
      : verb === 'patch'
        ? `${META}Patch`
        : verb === 'delete' || verb === 'deletecollection'
          ? `${META}DeleteOptions`
          : undefined;
  const produced = verb === 'list' ? [...MEDIA, ...STREAMS] : MEDIA;
  const ok = (description: string): unknown =>
    flavour === 2
      ? { description, schema: { $ref: schemas.ref(answer) } }
      : {
          description,
          content: Object.fromEntries(produced.toSorted().map((media) => [media, { schema: { $ref: schemas.ref(answer) } }])),
        };
  const codes =
    verb === 'create'
      ? ['200', '201', '202']
      : verb === 'update' || verb === 'patch'
        ? ['200', '201']
        : verb === 'delete'
          ? ['200', '202']
          : ['200'];
  const responses = { ...Object.fromEntries(codes.map((code) => [code, ok(DESCRIPTIONS[code]!)])), 401: { description: 'Unauthorized' } };
  const extra = { 'x-kubernetes-action': ACTIONS[verb], 'x-kubernetes-group-version-kind': { group: gvk.group, version: gvk.version, kind: gvk.kind } };
  const tags = [`${row.group === '' ? 'core' : row.group.replace(/\.k8s\.io$/, '').replaceAll('.', '_')}_${row.version}`];
  const required = verb !== 'delete' && verb !== 'deletecollection';
  if (flavour === 2) {
    return {
      consumes: verb === 'patch' ? PATCHES : ['*/*'],
      operationId: id,
      parameters: [
        ...(sends === undefined ? [] : [{ name: 'body', in: 'body', ...(required && { required }), schema: { $ref: schemas.ref(sends) } }]),
        ...query,
      ],
      produces: produced,
      responses,
      schemes: ['https'],
      tags,
      ...extra,
    };
  }
  const media = verb === 'patch' ? PATCHES.toSorted() : ['*/*'];
  return {
    tags,
    operationId: id,
    ...(query.length > 0 && { parameters: query }),
    ...(sends !== undefined && {
      requestBody: {
        content: Object.fromEntries(media.map((one) => [one, { schema: { $ref: schemas.ref(sends) } }])),
        ...(required && { required }),
      },
    }),
    responses,
    ...extra,
  };
}

function pathParameters(path: string, flavour: Flavour): readonly Schema[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).sort();
  const pretty =
    flavour === 2
      ? { name: 'pretty', in: 'query', type: 'string', uniqueItems: true }
      : { name: 'pretty', in: 'query', schema: { type: 'string', uniqueItems: true } };
  const named = names.map((name) =>
    flavour === 2
      ? { name, in: 'path', type: 'string', required: true, uniqueItems: true }
      : { name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } },
  );
  return [...named, pretty];
}
