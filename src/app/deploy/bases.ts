import { constants, createReadStream } from 'node:fs';
import { access, lstat, mkdtemp, readdir, readlink, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { Spawner } from '../../host/host.ts';
import { LongshoreError, messageOf } from '../../lib/errors.ts';
import { packTar, type PackEntry } from '../../lib/tar.ts';
import type { Docker } from './docker.ts';

/** An image that can be made of what a Debian machine has, where no registry can be reached. */
interface Recipe {
  readonly matches: (name: string, tag: string) => boolean;
  readonly source: string;
  readonly changes: readonly string[];
  readonly make: (machine: Machine) => AsyncIterable<PackEntry>;
}

export interface Machine {
  readonly spawn: Spawner;
  /** Path of a Node binary of version 24 or later: our own. */
  readonly node: string;
}

const PATH = 'ENV PATH /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const RECIPES: readonly Recipe[] = [
  {
    matches: (name) => name === 'busybox' || name === 'alpine',
    source: 'the package busybox-static',
    changes: [PATH, 'CMD ["sh"]'],
    make: busyboxRoot,
  },
  {
    matches: (name, tag) => name === 'node' && /^(latest|lts|current|2[4-9])/.test(tag),
    source: "npm's Node, the machine's C library and busybox-static",
    changes: [PATH, 'CMD ["node"]'],
    make: nodeRoot,
  },
  {
    matches: (name) => name === 'debian' || name === 'ubuntu',
    source: 'debootstrap (Debian packages)',
    changes: [PATH, 'CMD ["bash"]'],
    make: debianRoot,
  },
];

/** How long a registry may take to say anything, in milliseconds. */
const PULL_TIMEOUT_MS = 15_000;

/**
 * Sees to a base image: takes the one that is there, else pulls it, else, where no registry can be reached, makes it of this machine's packages.
 * @returns how it was got: a sentence for the user; undefined when it was there
 * @throws LongshoreError when it can be had in none of these ways
 */
export async function ensureBase(docker: Docker, machine: Machine, reference: string, note: (detail: string) => void): Promise<string | undefined> {
  if (await docker.hasImage(reference)) return undefined;
  try {
    await withTimeout(docker.pull(reference, note), PULL_TIMEOUT_MS, note);
    return `pulled ${reference}`;
  } catch (error) {
    const { name, tag } = parseName(reference);
    const recipe = RECIPES.find(({ matches }) => matches(name, tag));
    if (!recipe) {
      throw new LongshoreError('unavailable', `the base image ${reference} can't be pulled: ${messageOf(error)}`, {
        object: `image ${reference}`,
        remedy: 'Give it to the engine by docker load, or use busybox, node or debian, which can be made here.',
        cause: error,
      });
    }
    note(`no registry answers; making it of ${recipe.source}`);
    await docker.importImage(Readable.from(packTar(recipe.make(machine)), { objectMode: false }), reference, recipe.changes);
    return `no registry could be reached, so ${reference} was made of ${recipe.source}`;
  }
}

/**
 * Makes a base image of what this machine has, asking no registry.
 * @throws LongshoreError `invalid` when there is no recipe for it
 */
export async function makeBase(docker: Docker, machine: Machine, reference: string): Promise<void> {
  const { name, tag } = parseName(reference);
  const recipe = RECIPES.find(({ matches }) => matches(name, tag));
  if (!recipe) {
    throw new LongshoreError('invalid', `${reference} can't be made of this machine's packages`, {
      object: `image ${reference}`,
      remedy: 'busybox, node and debian can.',
    });
  }
  await docker.importImage(Readable.from(packTar(recipe.make(machine)), { objectMode: false }), reference, recipe.changes);
}

/** A pull that moves on may take its time; one from which nothing comes is given up. */
async function withTimeout(work: Promise<void>, ms: number, note: (detail: string) => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LongshoreError('timeout', `no registry answered within ${ms / 1000} s`)), ms);
  });
  try {
    await Promise.race([work, silence]);
    note('');
  } finally {
    clearTimeout(timer);
  }
}

/** Name without registry, `library/` and digest; tag without variants such as `-slim` taken off. */
function parseName(reference: string): { readonly name: string; readonly tag: string } {
  const [path = '', tag = 'latest'] = reference.replace(/@.*$/, '').replace(/^(docker\.io|index\.docker\.io)\//, '').replace(/^library\//, '').split(':');
  return { name: path, tag };
}

const folder = (name: string, mode = 0o755): PackEntry => ({
  header: { name, type: 'directory', mode, uid: 0, gid: 0, size: 0, mtime: 0 },
});
const text = (name: string, content: string, mode = 0o644): PackEntry => ({
  header: { name, type: 'file', mode, uid: 0, gid: 0, size: Buffer.byteLength(content), mtime: 0 },
  body: Buffer.from(content),
});
const link = (name: string, linkname: string): PackEntry => ({
  header: { name, type: 'symlink', mode: 0o777, uid: 0, gid: 0, size: 0, mtime: 0, linkname },
});

async function file(source: string, name: string, mode: number): Promise<PackEntry> {
  const { size } = await stat(source);
  return { header: { name, type: 'file', mode, uid: 0, gid: 0, size, mtime: 0 }, body: createReadStream(source) };
}

async function* busyboxRoot({ spawn }: Machine): AsyncGenerator<PackEntry> {
  const busybox = await findProgram('busybox', 'busybox-static');
  for (const name of [
    'bin',
    'dev',
    'etc',
    'home',
    'lib',
    'proc',
    'root',
    'run',
    'sys',
    'usr',
    'usr/bin',
    'usr/local',
    'usr/local/bin',
    'usr/sbin',
    'sbin',
    'var',
    'var/log',
  ]) {
    yield folder(name);
  }
  yield folder('tmp', 0o1777);
  yield text('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n');
  yield text('etc/group', 'root:x:0:\nnogroup:x:65534:\n');
  yield text('etc/nsswitch.conf', 'hosts: files dns\n');
  yield await file(busybox, 'bin/busybox', 0o755);
  const { stdout } = await spawn.run(busybox, ['--list']);
  for (const applet of stdout
    .toString()
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox')) {
    yield link(`bin/${applet}`, 'busybox');
  }
}

async function* nodeRoot(machine: Machine): AsyncGenerator<PackEntry> {
  yield* busyboxRoot(machine);
  yield await file(machine.node, 'usr/local/bin/node', 0o755);
  yield link('usr/local/bin/nodejs', 'node');
  yield folder('etc/ssl');
  yield folder('etc/ssl/certs');
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  if (await exists(certificates)) yield await file(certificates, 'etc/ssl/certs/ca-certificates.crt', 0o644);
  const { stdout } = await machine.spawn.run('ldd', [machine.node]);
  const made = new Set<string>(['lib']);
  const libraries = new Set([...stdout.toString().matchAll(/(\/\S+\.so\S*)/g)].map(([, path]) => path!));
  // Names are resolved by glibc through these two, which nothing links to.
  const libc = [...libraries].find((library) => library.includes('libc.so'));
  if (libc) for (const name of ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2']) libraries.add(join(dirname(libc), name));
  for (const library of [...libraries].sort()) {
    if (!(await exists(library))) continue;
    for (const part of parents(library)) {
      if (made.has(part)) continue;
      made.add(part);
      yield folder(part);
    }
    yield await file(await realpath(library), library.slice(1), 0o755);
  }
}

/** Folders above a path, outermost first, relative. */
function parents(path: string): string[] {
  const parts = dirname(path).split('/').filter((part) => part !== '');
  return parts.map((_, at) => parts.slice(0, at + 1).join('/'));
}

async function* debianRoot({ spawn }: Machine): AsyncGenerator<PackEntry> {
  await findProgram('debootstrap', 'debootstrap');
  const release = /^VERSION_CODENAME=(\w+)/m.exec((await spawn.run('cat', ['/etc/os-release'])).stdout.toString())?.[1] ?? 'stable';
  const target = await mkdtemp(join(tmpdir(), 'longshore-debian-'));
  try {
    const { code, stderr, stdout } = await spawn.run('debootstrap', ['--variant=minbase', release, target], { timeoutMs: 600_000 });
    if (code !== 0) {
      throw new LongshoreError('unavailable', `debootstrap failed: ${(stderr || stdout.toString()).trim().split('\n').at(-1)}`, {
        remedy: 'Check that a Debian mirror can be reached.',
      });
    }
    yield* tree(target, '');
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

async function* tree(root: string, path: string): AsyncGenerator<PackEntry> {
  for (const name of (await readdir(join(root, path))).sort()) {
    const relative = path === '' ? name : `${path}/${name}`;
    const full = join(root, relative);
    const found = await lstat(full);
    const base = { name: relative, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, mtime: Math.floor(found.mtimeMs / 1000) };
    if (found.isDirectory()) {
      yield { header: { ...base, type: 'directory', size: 0 } };
      // Downloaded packages and devices have no place in an image.
      if (relative !== 'var/cache/apt/archives' && relative !== 'dev') yield* tree(root, relative);
    } else if (found.isSymbolicLink()) {
      yield { header: { ...base, type: 'symlink', size: 0, linkname: await readlink(full) } };
    } else if (found.isFile()) {
      yield { header: { ...base, type: 'file', size: found.size }, ...(found.size > 0 && { body: createReadStream(full) }) };
    }
  }
}

async function findProgram(name: string, debianPackage: string): Promise<string> {
  for (const place of [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
    const path = join(place, name);
    try {
      await access(path, constants.X_OK);
      return await realpath(path);
    } catch {
      continue; // not in this folder
    }
  }
  throw new LongshoreError('unavailable', `${name} is not on this machine`, { remedy: `Install it: apt-get install ${debianPackage}` });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}
