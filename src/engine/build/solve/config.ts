import { DockerfileError } from '../dockerfile/error.ts';
import type { Command, Instruction } from '../dockerfile/instructions.ts';
import { posix } from 'node:path';
import type { ImageConfig } from '../../images/images.ts';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DEFAULT_SHELL: readonly string[] = ['/bin/sh', '-c'];

/** The words of a command, as the image or a RUN has them. */
function argsOf(command: Command, config: ImageConfig): readonly string[] {
  return command.form === 'exec' ? command.args : [...shellOf(config), command.line];
}

export function shellOf(config: ImageConfig): readonly string[] {
  return config.Shell && config.Shell.length > 0 ? config.Shell : DEFAULT_SHELL;
}

export function environment(config: ImageConfig): Map<string, string> {
  return new Map((config.Env ?? []).map((entry) => [entry.split('=', 1)[0]!, entry.slice(entry.indexOf('=') + 1)]));
}

export function withEnvironment(config: ImageConfig, changes: Iterable<readonly [string, string]>): ImageConfig {
  const env = environment(config);
  for (const [name, value] of changes) env.set(name, value);
  return { ...config, Env: [...env].map(([name, value]) => `${name}=${value}`) };
}

/** A path as WORKDIR and destinations take it: relative to the working directory. Keeps a slash at its end. */
export function resolvePath(config: ImageConfig, path: string): string {
  const absolute = posix.resolve(config.WorkingDir || '/', path);
  return (path.endsWith('/') || path.endsWith('/.') || path === '.') && absolute !== '/' ? `${absolute}/` : absolute;
}

export interface ConfigChange {
  readonly config: ImageConfig;
  /** What the image's history says. */
  readonly history: string;
  readonly author?: string;
}

/**
 * Instructions that only change the image's configuration. @param word expands a word
 * @param cmdSet whether this stage has set CMD: then ENTRYPOINT keeps it
 */
export function changeConfig(
  config: ImageConfig,
  instruction: Instruction,
  word: (text: string) => string,
  words: (text: string) => readonly string[],
  cmdSet: boolean,
): ConfigChange | undefined {
  const fail = (message: string): never => {
    throw new DockerfileError(message, instruction.line, instruction.endLine);
  };
  switch (instruction.kind) {
    case 'CMD':
    case 'ENTRYPOINT': {
      const args = argsOf(instruction.command, config);
      const next = instruction.kind === 'CMD' ? { ...config, Cmd: args } : { ...config, Entrypoint: args, ...(cmdSet ? {} : { Cmd: null }) };
      return { config: next, history: `${instruction.kind} ${JSON.stringify(args).replaceAll('","', '" "')}` };
    }
    case 'ENV': {
      const pairs = instruction.pairs.map(([name, value]): [string, string] => [word(name), word(value)]);
      if (pairs.some(([name]) => name === '')) fail('ENV names can not be blank');
      return { config: withEnvironment(config, pairs), history: `ENV ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}` };
    }
    case 'LABEL': {
      const pairs = instruction.pairs.map(([name, value]): [string, string] => [word(name), word(value)]);
      if (pairs.some(([name]) => name === '')) fail('LABEL names can not be blank');
      return {
        config: { ...config, Labels: { ...config.Labels, ...Object.fromEntries(pairs) } },
        history: `LABEL ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}`,
      };
    }
    case 'EXPOSE': {
      const ports = instruction.ports.flatMap((text) => words(text)).flatMap((port) => portsOf(port, fail));
      return {
        config: { ...config, ExposedPorts: { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) } },
        history: `EXPOSE ${JSON.stringify(Object.fromEntries(ports.map((port) => [port, {}])))
          .replace(/^\{/, 'map[')
          .replace(/\}$/, ']')
          .replaceAll('"', '')
          .replaceAll(',', ' ')}`,
      };
    }
    case 'HEALTHCHECK': {
      const { test, interval, timeout, startPeriod, startInterval, retries } = instruction.health;
      const health = {
        Test: test,
        ...(interval === undefined ? {} : { Interval: interval }),
        ...(timeout === undefined ? {} : { Timeout: timeout }),
        ...(startPeriod === undefined ? {} : { StartPeriod: startPeriod }),
        ...(startInterval === undefined ? {} : { StartInterval: startInterval }),
        ...(retries === undefined ? {} : { Retries: retries }),
      };
      return { config: { ...config, Healthcheck: health }, history: instruction.text };
    }
    case 'MAINTAINER':
      return { config, history: `MAINTAINER ${word(instruction.name)}`, author: word(instruction.name) };
    case 'ONBUILD':
      return { config: { ...config, OnBuild: [...(config.OnBuild ?? []), instruction.trigger] }, history: `ONBUILD ${instruction.trigger}` };
    case 'SHELL':
      return {
        config: { ...config, Shell: instruction.shell },
        history: `SHELL ${JSON.stringify(instruction.shell).replaceAll('","', ' ').replaceAll('"', '')}`,
      };
    case 'STOPSIGNAL': {
      const signal = word(instruction.value);
      if (!/^(?:SIG)?[A-Z0-9+-]+$/i.test(signal) || (/^\d+$/.test(signal) && (Number(signal) < 1 || Number(signal) > 64))) {
        fail(`Invalid signal: ${signal}`);
      }
      return { config: { ...config, StopSignal: signal }, history: `STOPSIGNAL ${signal}` };
    }
    case 'USER': {
      const user = word(instruction.value);
      return { config: { ...config, User: user }, history: `USER ${user}` };
    }
    case 'VOLUME': {
      const paths = instruction.paths.map(word);
      if (paths.includes('')) fail('VOLUME specified can not be an empty string');
      return {
        config: { ...config, Volumes: { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) } },
        history: `VOLUME ${JSON.stringify(paths).replaceAll('"', '').replaceAll(',', ' ')}`,
      };
    }
    default:
      return undefined;
  }
}

/** `80`, `80/udp`, `8000-8002`. */
function portsOf(text: string, fail: (message: string) => never): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z]+))?$/i.exec(text);
  const [from, to, protocol] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1]), (match?.[3] ?? 'tcp').toLowerCase()];
  if (!match || from > to || to > 65_535 || !['tcp', 'udp', 'sctp'].includes(protocol)) fail(`invalid containerPort: ${text}`);
  return Array.from({ length: to - from + 1 }, (_, n) => `${from + n}/${protocol}`);
}
