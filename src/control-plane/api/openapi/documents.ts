import { createHash } from 'node:crypto';
import { KUBERNETES_VERSION } from '../http/version.ts';
import type { ResourceTable } from '../resource-table.ts';
import { groupVersionPaths } from './operations.ts';
import { encodeSwagger } from './proto-v2.ts';
import { SchemaCollector } from './schemas.ts';

export interface OpenApiDocument {
  readonly body: Buffer;
  readonly etag: string;
}

const [MAJOR, MINOR] = KUBERNETES_VERSION.split('.');
const INFO = { title: 'Kubernetes', version: `${MAJOR}.${MINOR}` };
const BEARER = { BearerToken: { description: 'A token in the Authorization header', type: 'apiKey', name: 'authorization', in: 'header' } };

/**
 * The OpenAPI documents of what is served: each is made when it is first
 * asked for and kept until the table of resources changes. Names of versions
 * are hashes of what a document is made from, so that the index of version 3
 * costs none of them.
 */
export class OpenApiDocuments {
  readonly #resources: ResourceTable;
  readonly #made = new Map<string, OpenApiDocument>();
  #generation = -1;

  constructor(resources: ResourceTable) {
    this.#resources = resources;
  }

  /** OpenAPI 2.0, all in one. */
  swagger(form: 'json' | 'protobuf'): OpenApiDocument {
    return this.#kept(`2 ${form}`, () => {
      const schemas = new SchemaCollector(2);
      const paths = Object.assign(
        {},
        ...this.#versions().map(({ group, version }) => groupVersionPaths(this.#resources.resources(group, version), schemas, 2)),
      ) as Record<string, unknown>;
      const document = {
        swagger: '2.0',
        info: INFO,
        paths: sorted(paths),
        definitions: schemas.schemas(),
        securityDefinitions: BEARER,
        security: [{ BearerToken: [] }],
      };
      return form === 'json' ? Buffer.from(JSON.stringify(document)) : encodeSwagger(document);
    });
  }

  /** Paths of version 3, as in `apis/apps/v1`, and those of the documents about discovery and the server itself. */
  names(): readonly string[] {
    return [...this.#plainNames(), ...this.#versions().map(({ group, version }) => nameOf(group, version))].sort();
  }

  #plainNames(): readonly string[] {
    return [...PLAIN, ...this.#resources.groups().filter((group) => group !== '').map((group) => `apis/${group}`)];
  }

  /** The hash that names the present version of a document; undefined when there is no such document. */
  hash(name: string): string | undefined {
    const found = this.#find(name);
    if (found === undefined) {
      return this.#plainNames().includes(name)
        ? createHash('sha512').update(`${KUBERNETES_VERSION} ${SHAPE} ${name}`).digest('hex').toUpperCase()
        : undefined;
    }
    const rows = this.#resources.resources(found.group, found.version);
    return createHash('sha512').update(JSON.stringify([KUBERNETES_VERSION, SHAPE, rows])).digest('hex').toUpperCase();
  }

  /** OpenAPI 3.0 of one group and version. */
  version3(name: string): OpenApiDocument | undefined {
    const found = this.#find(name);
    if (found === undefined) return this.#plainNames().includes(name) ? this.#kept(`3 ${name}`, () => plainDocument(name)) : undefined;
    return this.#kept(`3 ${name}`, () => {
      const schemas = new SchemaCollector(3);
      const paths = groupVersionPaths(this.#resources.resources(found.group, found.version), schemas, 3);
      return Buffer.from(
        JSON.stringify({
          openapi: '3.0.0',
          info: INFO,
          paths: sorted(paths),
          components: { schemas: schemas.schemas(), securitySchemes: BEARER },
        }),
      );
    });
  }

  #versions(): readonly { readonly group: string; readonly version: string }[] {
    return this.#resources.groups().flatMap((group) => this.#resources.versions(group).map((version) => ({ group, version })));
  }

  #find(name: string): { readonly group: string; readonly version: string } | undefined {
    return this.#versions().find(({ group, version }) => nameOf(group, version) === name);
  }

  #kept(key: string, make: () => Buffer): OpenApiDocument {
    if (this.#generation !== this.#resources.generation) {
      this.#made.clear();
      this.#generation = this.#resources.generation;
    }
    let made = this.#made.get(key);
    if (made === undefined) {
      const body = make();
      made = { body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` };
      this.#made.set(key, made);
    }
    return made;
  }
}

/** What is served beside groups and their versions. */
const PLAIN = ['.well-known/openid-configuration', 'api', 'apis', 'openid/v1/jwks', 'version'];

/** A document of one path, which is read and has no schema here. */
function plainDocument(name: string): Buffer {
  const path = name === 'openid/v1/jwks' ? `/${name}` : `/${name}/`;
  const get = {
    operationId: `get${name
      .split(/[^A-Za-z0-9]+/)
      .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
      .join('')}`,
    responses: { 200: { description: 'OK' }, 401: { description: 'Unauthorized' } },
  };
  return Buffer.from(JSON.stringify({ openapi: '3.0.0', info: INFO, paths: { [path]: { get } }, components: { securitySchemes: BEARER } }));
}

/** Raised whenever documents made from the same rows come out differently. */
const SHAPE = 3;

function nameOf(group: string, version: string): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`;
}

function sorted(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
