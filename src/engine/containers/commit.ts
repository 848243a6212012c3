import { posix } from 'node:path';
import { LongshoreError } from '../../lib/errors.ts';
import type { Image, ImageConfig, Images } from '../images/images.ts';
import type { Container } from './containers.ts';

export interface CommitOptions {
  readonly references: readonly string[];
  readonly comment: string;
  readonly author: string;
  /** Dockerfile instructions that change the configuration, one a line. */
  readonly changes: readonly string[];
  readonly createdMs: number;
  readonly config: ImageConfig;
}

/** Makes an image of the container's own image and one more layer: what its writable layer holds now. The container goes on with it. */
export async function commitContainer(deps: { readonly images: Images }, container: Container, options: CommitOptions): Promise<Image> {
  const base = await deps.images.get(container.spec.image.id);
  const release = deps.images.lease(base.id);
  try {
    const { descriptor, diffId } = await deps.images.snapshots.commit(container.id, { keep: true });
    const created = new Date(options.createdMs).toISOString();
    const author = options.author === '' ? {} : { author: options.author };
    return await deps.images.create(
      {
        created,
        ...author,
        architecture: base.document.architecture,
        os: base.document.os,
        ...(base.document.variant === undefined ? {} : { variant: base.document.variant }),
        config: applyChanges(options.config, options.changes),
        rootfs: { type: 'layers', diff_ids: [...base.document.rootfs.diff_ids, diffId] },
        history: [
          ...(base.document.history ?? []),
          {
            created,
            created_by: container.spec.process.args.join(' '),
            ...author,
            ...(options.comment === '' ? {} : { comment: options.comment }),
          },
        ],
      },
      [...base.layers, descriptor],
      options.references,
    );
  } finally {
    await release();
  }
}

/** Instructions in which variables count, as in a Dockerfile. */
const EXPANDED = new Set(['ENV', 'EXPOSE', 'LABEL', 'STOPSIGNAL', 'USER', 'VOLUME', 'WORKDIR']);

/**
 * `$NAME`, `${NAME}`, `${NAME:-otherwise}`, `${NAME:+instead}` by what the image has in its environment; a backslash
 * keeps a dollar, and so do single quotes.
 */
function expand(text: string, env: readonly string[]): string {
  const values = new Map(env.map((entry) => [entry.split('=', 1)[0]!, entry.slice(entry.indexOf('=') + 1)]));
  return text.replace(
    /'[^']*'|\\\$|\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})/g,
    (whole: string, plain: string | undefined, braced: string | undefined, how: string | undefined, word: string | undefined) => {
      if (whole === '\\$') return '$';
      const name = plain ?? braced;
      if (name === undefined) return whole;
      const value = values.get(name) ?? '';
      if (how === '-') return value === '' ? word! : value;
      if (how === '+') return value === '' ? '' : word!;
      return value;
    },
  );
}

/** Applies `CMD`, `ENTRYPOINT`, `ENV`, `EXPOSE`, `LABEL`, `ONBUILD`, `USER`, `VOLUME`, `WORKDIR`, `STOPSIGNAL`, `HEALTHCHECK`. @throws `invalid` for others */
export function applyChanges(config: ImageConfig, changes: readonly string[]): ImageConfig {
  let result: ImageConfig = config;
  for (const line of changes) {
    const [, word = '', rest = ''] = /^\s*(\w+)\s+(.*?)\s*$/.exec(line) ?? [];
    const keyword = word.toUpperCase();
    result = { ...result, ...change(result, keyword, EXPANDED.has(keyword) ? expand(rest, result.Env ?? []) : rest, line) };
  }
  return result;
}

function change(config: ImageConfig, word: string, rest: string, line: string): Partial<ImageConfig> {
  const words = (): string[] => {
    if (!rest.startsWith('[')) return ['/bin/sh', '-c', rest];
    return exec(rest, line);
  };
  const list = (): string[] => (rest.startsWith('[') ? words() : rest.split(/\s+/));
  const pairs = (): Record<string, string> =>
    Object.fromEntries(
      [...rest.matchAll(/([^\s=]+)=(?:"([^"]*)"|'([^']*)'|(\S*))/g)].map((found) => [found[1]!, found[2] ?? found[3] ?? found[4] ?? '']),
    );
  const flags = (names: readonly string[]): Record<string, Record<string, never>> => Object.fromEntries(names.map((name) => [name, {}]));
  switch (word) {
    case 'CMD': return { Cmd: words() };
    case 'ENTRYPOINT': return { Entrypoint: words() };
    case 'ENV': {
      const set = rest.includes('=') ? pairs() : { [rest.split(/\s+/, 1)[0]!]: rest.replace(/^\S+\s*/, '') };
      return {
        Env: [
          ...(config.Env ?? []).filter((entry) => !Object.hasOwn(set, entry.split('=', 1)[0]!)),
          ...Object.entries(set).map(([name, value]) => `${name}=${value}`),
        ],
      };
    }
    case 'LABEL': return { Labels: { ...config.Labels, ...pairs() } };
    case 'EXPOSE': return { ExposedPorts: { ...config.ExposedPorts, ...flags(list().map((port) => (port.includes('/') ? port : `${port}/tcp`))) } };
    case 'VOLUME': return { Volumes: { ...config.Volumes, ...flags(list()) } };
    case 'USER': return { User: rest };
    case 'WORKDIR': return { WorkingDir: posix.resolve(config.WorkingDir || '/', rest) };
    case 'ONBUILD': return { OnBuild: [...(config.OnBuild ?? []), rest] };
    case 'STOPSIGNAL': return { StopSignal: rest };
    case 'HEALTHCHECK': return { Healthcheck: healthcheck(rest, line) };
    default: throw new LongshoreError('invalid', `${word || line} is not a valid change command`);
  }
}


const NANOSECONDS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
const FLAGS: Readonly<Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};

/** `NONE`, or `[--interval=30s …] CMD …`. @throws `invalid` */
function healthcheck(rest: string, line: string): NonNullable<ImageConfig['Healthcheck']> {
  const [, flags = '', kind = '', command = ''] = /^((?:--\S+\s+)*)(CMD|NONE)\s*(.*)$/i.exec(rest) ?? [];
  if (kind.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  const wrong = (): LongshoreError =>
    new LongshoreError('invalid', `invalid change: ${line}`, {
      remedy: 'Write HEALTHCHECK [--interval=30s …] CMD COMMAND, or HEALTHCHECK NONE.',
    });
  if (command === '') throw wrong();
  const check: Record<string, number> = {};
  for (const [, name = '', value = ''] of flags.matchAll(/--([a-z-]+)=(\S+)/g)) {
    if (name === 'retries' && /^\d+$/.test(value)) {
      check['Retries'] = Number(value);
    } else if (FLAGS[name] !== undefined && /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(value)) {
      check[FLAGS[name]] = [...value.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)].reduce(
        (sum, [, amount, unit]) => sum + Number(amount) * NANOSECONDS[unit!]!,
        0,
      );
    } else {
      throw wrong();
    }
  }
  return { Test: command.startsWith('[') ? ['CMD', ...exec(command, line)] : ['CMD-SHELL', command], ...check };
}

/** The words of a command in the form of JSON. @throws `invalid` */
function exec(text: string, line: string): string[] {
  try {
    return (JSON.parse(text) as unknown[]).map(String);
  } catch (error) {
    throw new LongshoreError('invalid', `invalid change: ${line}`, { cause: error });
  }
}
