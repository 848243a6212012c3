import { LongshoreError } from '../../lib/errors.ts';
import { isDigest } from './digest.ts';
import type { Descriptor, ImageConfig, ImageDocument, Platform } from './images.ts';
import { isIndexType, OCI_INDEX, OCI_MANIFEST } from './media-types.ts';

export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Index {
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Layers in one image, as the overlay stacks them at most. */
const MAX_LAYERS = 500;
const MAX_ENTRIES = 1000;

/**
 * Reads a manifest or an index. The same bytes can't be both: a document with `manifests` beside
 * `layers` or `config` is refused, and a media type within must agree with the one it came under.
 * @param mediaType as the registry or descriptor says; undefined: only the document says
 * @throws `invalid`
 */
export function parseManifest(
  bytes: Uint8Array,
  mediaType?: string,
): { readonly manifest: Manifest; readonly index?: undefined } | { readonly index: Index; readonly manifest?: undefined } {
  const document = parseJson(bytes, 'manifest');
  const inner = text(document['mediaType']);
  if (inner !== undefined && mediaType !== undefined && inner !== mediaType) {
    throw invalid(`the manifest says to be ${inner}, but came as ${mediaType}`);
  }
  const hasManifests = document['manifests'] !== undefined;
  const hasLayers = document['layers'] !== undefined || document['config'] !== undefined || document['fsLayers'] !== undefined;
  if (hasManifests && hasLayers) throw invalid('the manifest is both an image and an index of images');
  if (document['schemaVersion'] !== 2) {
    if (document['schemaVersion'] === 1) {
      throw invalid('the image has a manifest of schema version 1, which is not supported; push it again with a current docker');
    }
    throw invalid('the manifest has no schemaVersion 2');
  }
  const type = mediaType ?? inner ?? (hasManifests ? OCI_INDEX : OCI_MANIFEST);
  if (isIndexType(type) !== hasManifests) throw invalid(`the manifest's content does not fit its media type ${type}`);
  const more = {
    ...(document['subject'] === undefined ? {} : { subject: descriptor(document['subject'], 'subject') }),
    ...(text(document['artifactType']) === undefined ? {} : { artifactType: text(document['artifactType'])! }),
    ...(document['annotations'] === undefined ? {} : { annotations: strings(document['annotations'], 'annotations') }),
  };
  if (hasManifests) return { index: { mediaType: type, manifests: list(document['manifests'], 'manifests', MAX_ENTRIES), ...more } };
  return {
    manifest: {
      mediaType: type,
      config: descriptor(document['config'], 'config'),
      layers: list(document['layers'] ?? [], 'layers', MAX_LAYERS),
      ...more,
    },
  };
}

/** Reads a config blob. @throws `invalid` */
export function parseImageDocument(bytes: Uint8Array): ImageDocument {
  const document = parseJson(bytes, 'image configuration');
  const rootfs = document['rootfs'];
  // An image of no layers may write its empty list as null.
  if (!isRecord(rootfs) || !(Array.isArray(rootfs['diff_ids']) || (rootfs['diff_ids'] === null && rootfs['type'] === 'layers'))) {
    throw invalid('the image configuration has no rootfs.diff_ids: this is not a container image');
  }
  const diffIds: unknown[] = rootfs['diff_ids'] ?? [];
  if (diffIds.length > MAX_LAYERS) throw invalid(`the image has more than ${MAX_LAYERS} layers`);
  for (const diffId of diffIds) {
    if (typeof diffId !== 'string' || !isDigest(diffId)) {
      throw invalid('the image configuration has a malformed diff id');
    }
  }
  for (const key of ['architecture', 'os'] as const) {
    if (document[key] !== undefined && typeof document[key] !== 'string') {
      throw invalid(`the image configuration's ${key} is not a string`);
    }
  }
  const config = document['config'];
  if (config !== undefined && config !== null && !isRecord(config)) throw invalid("the image configuration's config is not an object");
  return {
    ...(document as object),
    architecture: text(document['architecture']) ?? '',
    os: text(document['os']) ?? 'linux',
    config: checkConfig(config ?? {}),
    rootfs: { type: 'layers', diff_ids: diffIds as string[] },
    ...(Array.isArray(document['history']) ? { history: document['history'].filter(isRecord) } : { history: [] }),
  };
}

/** The image is data from elsewhere: what is not of the right shape is refused before anybody works with it. */
function checkConfig(config: Record<string, unknown>): ImageConfig {
  const must = (key: string, ok: (value: unknown) => boolean): void => {
    const value = config[key];
    if (value !== undefined && value !== null && !ok(value)) throw invalid(`the image configuration's ${key} is malformed`);
  };
  const isStrings = (value: unknown): boolean => Array.isArray(value) && value.every((item) => typeof item === 'string');
  for (const key of ['User', 'WorkingDir', 'StopSignal']) must(key, (value) => typeof value === 'string');
  for (const key of ['Env', 'Entrypoint', 'Cmd', 'OnBuild', 'Shell']) must(key, isStrings);
  for (const key of ['ExposedPorts', 'Volumes']) must(key, isRecord);
  must('Labels', (value) => isRecord(value) && Object.values(value).every((item) => typeof item === 'string'));
  must('Healthcheck', (value) => isRecord(value) && (value['Test'] === undefined || value['Test'] === null || isStrings(value['Test'])));
  return Object.fromEntries(Object.entries(config).filter(([key, value]) => value !== null || key === 'Entrypoint' || key === 'Cmd')) as ImageConfig;
}

/** The platform of the machine, in Go's names. */
export function hostPlatform(arch: string = process.arch): Platform {
  const architecture = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386', ppc64: 'ppc64le', s390x: 's390x', riscv64: 'riscv64' }[arch] ?? arch;
  return { os: 'linux', architecture };
}

export function platformName(platform: Platform): string {
  return [platform.os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/');
}

/** What a platform of one word may be (Go's names). */
const SYSTEMS = new Set([
  'linux',
  'windows',
  'darwin',
  'freebsd',
  'netbsd',
  'openbsd',
  'dragonfly',
  'solaris',
  'illumos',
  'aix',
  'android',
  'js',
  'plan9',
  'wasip1',
]);
const ARCHITECTURES = new Set([
  '386',
  'amd64',
  'arm',
  'arm64',
  'loong64',
  'mips',
  'mipsle',
  'mips64',
  'mips64le',
  'ppc64',
  'ppc64le',
  'riscv64',
  's390x',
  'sparc64',
  'wasm',
]);

/** `linux/amd64`, `linux/arm/v7`; of a system or an architecture alone, the rest is this machine's. @throws `invalid` */
export function parsePlatform(words: string): Platform {
  const [os, architecture, variant, ...rest] = words.toLowerCase().split('/');
  if (!os || rest.length > 0 || !/^[a-z0-9_./-]+$/.test(words.toLowerCase())) {
    throw invalid(`${JSON.stringify(words)} is not a platform, such as linux/amd64`);
  }
  const aliases: Record<string, string> = { x86_64: 'amd64', x86: '386', i386: '386', aarch64: 'arm64', armhf: 'arm' };
  if (architecture === undefined) {
    if (SYSTEMS.has(os)) return { ...hostPlatform(), os };
    const alone = aliases[os] ?? os;
    if (!ARCHITECTURES.has(alone)) throw invalid(`${JSON.stringify(words)}: unknown operating system or architecture: invalid argument`);
    return { os: 'linux', architecture: alone };
  }
  const known = aliases[architecture] ?? architecture;
  return { os, architecture: known, ...(variant && !(known === 'arm64' && variant === 'v8') ? { variant } : {}) };
}

/** The index's entry for a platform: the same variant, else one without, else the first that fits. undefined when none does. */
export function choosePlatform(index: Index, wanted: Platform): Descriptor | undefined {
  const fits = index.manifests.filter((entry) => {
    if (entry.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest') return false;
    return !entry.platform || (entry.platform.os === wanted.os && entry.platform.architecture === wanted.architecture);
  });
  const withPlatform = fits.filter((entry) => entry.platform);
  const candidates = withPlatform.length > 0 ? withPlatform : fits;
  return (
    candidates.find((entry) => (entry.platform?.variant ?? '') === (wanted.variant ?? '')) ??
    candidates.find((entry) => !entry.platform?.variant) ??
    candidates[0]
  );
}

export function descriptor(value: unknown, where: string): Descriptor {
  if (!isRecord(value)) throw invalid(`the manifest's ${where} is not an object`);
  const { mediaType, digest, size, platform, urls } = value;
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !isDigest(digest)) {
    throw invalid(`the manifest's ${where} has no media type, or no sha256 digest`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`the manifest's ${where} has no valid size`);
  const made: Descriptor = {
    mediaType,
    digest,
    size,
    ...(value['annotations'] === undefined || value['annotations'] === null ? {} : { annotations: strings(value['annotations'], 'annotations') }),
    ...(isRecord(platform) && typeof platform['os'] === 'string' && typeof platform['architecture'] === 'string'
      ? {
          platform: {
            os: platform['os'],
            architecture: platform['architecture'],
            ...(typeof platform['variant'] === 'string' && platform['variant'] !== '' ? { variant: platform['variant'] } : {}),
          },
        }
      : {}),
    ...(Array.isArray(urls) && urls.length > 0 && urls.every((url) => typeof url === 'string') ? { urls } : {}),
    ...(typeof value['artifactType'] === 'string' ? { artifactType: value['artifactType'] } : {}),
  };
  return made;
}

function list(value: unknown, where: string, most: number): Descriptor[] {
  if (!Array.isArray(value)) throw invalid(`the manifest's ${where} is not a list`);
  if (value.length > most) throw invalid(`the manifest has more than ${most} ${where}`);
  return value.map((item) => descriptor(item, where));
}

function parseJson(bytes: Uint8Array, what: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new LongshoreError('invalid', `the ${what} is not JSON`, { cause });
  }
  if (!isRecord(parsed)) throw invalid(`the ${what} is not a JSON object`);
  return parsed;
}

function strings(value: unknown, where: string): Record<string, string> {
  if (!isRecord(value) || !Object.values(value).every((item) => typeof item === 'string')) {
    throw invalid(`the manifest's ${where} are malformed`);
  }
  return value as Record<string, string>;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(message: string): LongshoreError {
  return new LongshoreError('invalid', message);
}
