import { LongshoreError } from '../lib/errors.ts';
import type { Nft, Spawner } from './host.ts';
import { PACKAGE_OF } from './spawn.ts';
import { Gate } from './syscall/gate.ts';
import { kernel } from './syscall/kernel.ts';

const NFT_CTX_DEFAULT = 0;
const NFT_CTX_OUTPUT_JSON = 1 << 4;
/** A script that is waiting holds memory; nobody should have this many. */
const WAITING = 10_000;

interface Library {
  readonly context: unknown;
  readonly json: unknown;
  run(context: unknown, command: string, done: (error: Error | null, status: number) => void): void;
  output(context: unknown): string | null;
  errors(context: unknown): string | null;
}

/** nftables through libnftables, in this process but off this thread; through the program `nft` where the library is missing. One script at a time. */
export class LinuxNft implements Nft {
  #spawner: Spawner;
  #library: Library | undefined | 'missing';
  #gate = new Gate(1, WAITING);

  /** @param options.program use the program even where the library is there */
  constructor(spawner: Spawner, options: { readonly program?: boolean } = {}) {
    this.#spawner = spawner;
    if (options.program) this.#library = 'missing';
  }

  async apply(script: string): Promise<void> {
    await this.#run(script, false);
  }

  async list(command: string): Promise<unknown> {
    return JSON.parse(await this.#run(command, true)) as unknown;
  }

  async #run(script: string, json: boolean): Promise<string> {
    if (script.includes('\0')) throw new LongshoreError('invalid', 'an nft script holds no zero byte');
    return await this.#gate.enter(async () => {
      this.#library ??= loadLibrary();
      return this.#library === 'missing' ? await this.#spawn(script, json) : await this.#call(this.#library, script, json);
    });
  }

  async #call(library: Library, script: string, json: boolean): Promise<string> {
    const context = json ? library.json : library.context;
    const status = await new Promise<number>((resolve, reject) => {
      library.run(context, script, (error, value) => (error ? reject(error) : resolve(value)));
    });
    // Reading a buffer also empties it.
    const output = library.output(context) ?? '';
    const errors = library.errors(context) ?? '';
    if (status !== 0) throw refused(errors, script);
    return output;
  }

  async #spawn(script: string, json: boolean): Promise<string> {
    const options = { input: json ? '' : script, timeoutMs: 60_000 };
    // nft opens /dev/stdin, which can't be done to a socket, as Node's pipes are: cat gives it a real one. With -j a
    // script would have to be JSON, so what is listed is an argument.
    const result = json
      ? await this.#spawner.run('nft', ['-j', script], options)
      : await this.#spawner.run('sh', ['-c', 'cat | nft -f -'], options);
    if (result.code === 127) {
      throw new LongshoreError('not-found', 'neither libnftables nor the program nft is installed', {
        remedy: `Install it: apt-get install ${PACKAGE_OF['nft']}`,
      });
    }
    if (result.code !== 0) throw refused(result.stderr, script);
    return result.stdout.toString('utf8');
  }
}

function loadLibrary(): Library | 'missing' {
  const { koffi } = kernel();
  let library;
  try {
    library = koffi.load('libnftables.so.1');
  } catch {
    return 'missing'; // the program may be there without it; if not, running that says what to install
  }
  const create = library.func('void *nft_ctx_new(uint32_t flags)') as unknown as (flags: number) => unknown;
  const bufferOutput = library.func('int nft_ctx_buffer_output(void *ctx)') as unknown as (context: unknown) => number;
  const bufferError = library.func('int nft_ctx_buffer_error(void *ctx)') as unknown as (context: unknown) => number;
  const setFlags = library.func('void nft_ctx_output_set_flags(void *ctx, unsigned int flags)') as unknown as (context: unknown, flags: number) => void;
  const run = library.func('int nft_run_cmd_from_buffer(void *ctx, const char *buf)');
  const output = library.func('const char *nft_ctx_get_output_buffer(void *ctx)') as unknown as (context: unknown) => string | null;
  const errors = library.func('const char *nft_ctx_get_error_buffer(void *ctx)') as unknown as (context: unknown) => string | null;
  const make = (flags: number): unknown => {
    const context = create(NFT_CTX_DEFAULT);
    if (context === null || bufferOutput(context) !== 0 || bufferError(context) !== 0) {
      throw new LongshoreError('internal', 'libnftables can’t be set up', { remedy: 'Run longshore as root.' });
    }
    setFlags(context, flags);
    return context;
  };
  return {
    context: make(0),
    json: make(NFT_CTX_OUTPUT_JSON),
    run: (context, command, done) => run.async(context, command, done),
    output,
    errors,
  };
}

function refused(errors: string, script: string): LongshoreError {
  const message = errors.trim() || 'no reason given';
  const remedy = /Could not process rule: (Operation not supported|No such file or directory)|Protocol not supported/.test(message)
    ? 'Run longshore doctor: the kernel may lack a part of nftables.'
    : undefined;
  return new LongshoreError('internal', `nft refused the rules: ${message}`, {
    object: `nft ${script.slice(0, 80).replaceAll(/\s+/g, ' ')}`,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
