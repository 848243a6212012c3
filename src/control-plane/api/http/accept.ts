import { failure } from '../errors.ts';
import { StatusError } from '../../../types/kubernetes/status.ts';

export type Format = 'json' | 'yaml' | 'protobuf';

/** What an Accept header asks for. */
export interface Wanted {
  readonly format: Format;
  /** A view of the object instead of the object itself. */
  readonly as: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | undefined;
  /** Version of meta.k8s.io for the view. */
  readonly asVersion: 'v1' | 'v1beta1';
}

const MEDIA: Readonly<Record<string, Format>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/vnd.kubernetes.protobuf': 'protobuf',
  '*/*': 'json',
  'application/*': 'json',
};
const VIEWS = new Set(['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList']);
const KEPT = 256;
/** Longer headers are parsed anew each time: kept, they would let a stranger fill memory. */
const LONGEST_KEPT = 1024;
export const ACCEPTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'] as const;

const JSON_WANTED: Wanted = { format: 'json', as: undefined, asVersion: 'v1' };

interface Clause {
  readonly media: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** The clauses of an Accept header, best first; equal ones in their order. */
export function parseAccept(header: string): readonly Clause[] {
  const clauses = header.split(',').map((part): Clause => {
    const [media = '', ...rest] = part.split(';').map((piece) => piece.trim());
    const parameters = new Map(rest.map((piece): [string, string] => {
      const at = piece.indexOf('=');
      return at < 0 ? [piece.toLowerCase(), ''] : [piece.slice(0, at).trim().toLowerCase(), piece.slice(at + 1).trim()];
    }));
    const quality = Number(parameters.get('q') ?? 1);
    return { media: media.toLowerCase(), parameters, quality: Number.isFinite(quality) ? quality : 0 };
  });
  return clauses.filter((clause) => clause.quality > 0).sort((a, b) => b.quality - a.quality);
}

/**
 * Chooses what to answer with. Headers repeat, so choices are kept.
 * Objects lie in memory as JSON, so that JSON is taken wherever the client takes it too; protobuf is encoded for who asks for nothing else.
 */
export class Negotiator {
  readonly #kept = new Map<string, readonly Wanted[]>();

  /**
   * @param can what there is to choose from; `watchable` goes into the words of a refusal
   * @throws StatusError 406
   */
  choose(header: string | undefined, can: { readonly protobuf: boolean; readonly view: boolean; readonly watchable?: boolean }): Wanted {
    if (header === undefined || header === '' || header === 'application/json' || header === '*/*') return JSON_WANTED;
    let options = this.#kept.get(header);
    if (options === undefined) {
      options = parseAccept(header).map(wanted).filter((option) => option !== undefined);
      if (header.length <= LONGEST_KEPT) {
        if (this.#kept.size >= KEPT) this.#kept.clear();
        this.#kept.set(header, options);
      }
    }
    let first: Wanted | undefined;
    for (const option of options) {
      if (option.as !== undefined && (!can.view || option.format === 'protobuf')) continue;
      if (option.format === 'protobuf') {
        if (can.protobuf) first ??= option;
      } else return option;
    }
    if (first === undefined) {
      throw options.length > 0 || parseAccept(header).some(({ media }) => Object.hasOwn(MEDIA, media))
        ? notAcceptable()
        : notAvailable(can.watchable ?? false);
    }
    return first;
  }
}

function wanted(clause: Clause): Wanted | undefined {
  const format = Object.hasOwn(MEDIA, clause.media) ? MEDIA[clause.media] : undefined;
  if (format === undefined) return undefined;
  const as = clause.parameters.get('as');
  if (as === undefined) return { format, as: undefined, asVersion: 'v1' };
  const version = clause.parameters.get('v') ?? 'v1';
  if (!VIEWS.has(as) || clause.parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  return { format, as: as as NonNullable<Wanted['as']>, asVersion: version };
}

/** For what is made up of resources. `watchable`: lists, whose route serves watches too. */
function notAvailable(watchable: boolean): StatusError {
  const forms = watchable ? [...ACCEPTED, 'application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'] : ACCEPTED;
  return new StatusError(failure(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${forms.join(', ')}`, {}));
}

export function notAcceptable(): StatusError {
  return new StatusError(failure(406, 'NotAcceptable', `only the following media types are accepted: ${ACCEPTED.join(', ')}`));
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(
    failure(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    ),
  );
}
