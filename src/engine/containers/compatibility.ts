import { closeSync, constants, read } from 'node:fs';
import { promisify } from 'node:util';
import { openInRoot } from '../../host/beneath.ts';
import { isErrno } from '../../lib/errors.ts';

/** Where the loaders of the narrower sibling of each architecture lie, by process.arch. */
const NARROW_LOADERS: Readonly<Record<string, readonly string[]>> = {
  x64: ['lib/ld-linux.so.2', 'lib/ld-musl-i386.so.1'],
  arm64: ['lib/ld-linux-armhf.so.3', 'lib/ld-linux.so.3', 'lib/ld-musl-armhf.so.1'],
};

/** `EI_CLASS` of an ELF header is its fifth byte; 1 says 32 bits. */
const ELF_CLASS_OFFSET = 4;
const ELF_CLASS_32 = 1;
const ELF_MAGIC = 0x464c457f;

/**
 * True when a container can run 32-bit programs: its image is for such a machine, it has a loader for them, or its
 * program is one (a static one needs no loader).
 * The filter of system calls is made for both architectures then, which costs some milliseconds at every start and exec.
 */
export async function runs32Bit(
  rootfs: string,
  options: { readonly program: string; readonly path: string; readonly architecture: string | undefined },
  machine: string = process.arch,
): Promise<boolean> {
  if (options.architecture === '386' || options.architecture === 'arm') return true;
  const loaders = NARROW_LOADERS[machine] ?? [];
  const programs = options.program.includes('/') ? [options.program] : options.path.split(':').map((folder) => `${folder}/${options.program}`);
  const [found, narrow] = await Promise.all([
    Promise.all(loaders.map((loader) => headOf(rootfs, loader))).then((heads) => heads.some((head) => head !== undefined)),
    firstOf(rootfs, programs).then(
      (head) =>
        head !== undefined &&
        head.length > ELF_CLASS_OFFSET &&
        head.readUInt32LE(0) === ELF_MAGIC &&
        head[ELF_CLASS_OFFSET] === ELF_CLASS_32,
    ),
  ]);
  return found || narrow;
}

async function firstOf(rootfs: string, paths: readonly string[]): Promise<Buffer | undefined> {
  for (const path of paths) {
    const head = await headOf(rootfs, path);
    if (head !== undefined) return head;
  }
  return undefined;
}

const readDescriptor = promisify(read);

/** The first bytes of a file beneath the root; undefined when there is none. */
async function headOf(rootfs: string, path: string): Promise<Buffer | undefined> {
  let fd: number;
  try {
    fd = await openInRoot(rootfs, path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENXIO', 'EXDEV', 'ENAMETOOLONG'].some((code) => isErrno(error, code))) return undefined;
    throw error;
  }
  try {
    const head = Buffer.alloc(8);
    const { bytesRead } = await readDescriptor(fd, head, 0, head.length, 0).catch((error: unknown) => {
      if (isErrno(error, 'EISDIR') || isErrno(error, 'EAGAIN') || isErrno(error, 'ESPIPE') || isErrno(error, 'EINVAL')) {
        return { bytesRead: 0 };
      } // no plain file: nothing to run
      throw error;
    });
    return head.subarray(0, bytesRead);
  } finally {
    closeSync(fd);
  }
}
