import { closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Undo } from '../lib/undo.ts';
import type { Mounts, OverlayLayers } from './host.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE, O_CLOEXEC, O_PATH } from './syscall/numbers.ts';
import { Program, SyscallError } from './syscall/program.ts';

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const OPEN_TREE_CLONE = 1;
const MOUNT_ATTR_RDONLY = 1n;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_REC = 16_384;
/** Words of mount(8) that are flags of mount(2); the others go to the file system. */
const MOUNT_FLAGS: Readonly<Record<string, number>> = {
  rw: 0,
  defaults: 0,
  bind: 4096,
  rbind: 4096 | MS_REC,
  ro: 1,
  nosuid: MS_NOSUID,
  nodev: MS_NODEV,
  noexec: 8,
  sync: 16,
  noatime: 1024,
  nodiratime: 2048,
  relatime: 1 << 21,
};
const PROPAGATION = { private: 1 << 18, rslave: 1 << 19, rshared: 1 << 20 } as const;
const EINVAL = 22;
const ENOENT = 2;

/** mount(2) takes one page of options. */
const OPTION_BYTES = 4095;
/** One value of fsconfig(2), with its zero byte. */
const VALUE_BYTES = 256;

/** Mounts by direct system calls, off this thread. */
export class LinuxMounts implements Mounts {
  /** Whether the kernel takes lower layers one by one (Linux 6.8); found out at the first overlay. */
  #lowerOneByOne = true;

  async overlay(target: string, layers: OverlayLayers): Promise<Undo> {
    const fits = [...layers.lower, layers.upper ?? '', layers.work ?? ''].every((path) => Buffer.byteLength(path) < VALUE_BYTES);
    if (this.#lowerOneByOne && fits) {
      try {
        await this.#overlayByParts(target, layers);
        return this.#undo(target);
      } catch (error) {
        // A kernel that doesn't know the key says EINVAL to the first of them.
        if (!(error instanceof SyscallError) || error.code !== 'EINVAL' || error.path !== `lowerdir+ ${layers.lower[0]}`) throw error;
        this.#lowerOneByOne = false;
      }
    }
    await this.#overlayByString(target, layers);
    return this.#undo(target);
  }

  async bind(
    source: string,
    target: string,
    options: { readonly readOnly?: boolean; readonly recursive?: boolean; readonly propagation?: 'private' | 'rslave' | 'rshared' } = {},
  ): Promise<Undo> {
    const program = new Program();
    const recursive = options.recursive ?? true ? AT_RECURSIVE : 0;
    const tree = program.call('open_tree', AT_FDCWD, source, OPEN_TREE_CLONE | O_CLOEXEC | recursive);
    if (options.readOnly || options.propagation) {
      // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
      const attributes = program.allocate(32, (into) => {
        into.writeBigUInt64LE(options.readOnly ? MOUNT_ATTR_RDONLY : 0n, 0);
        into.writeBigUInt64LE(BigInt(options.propagation ? PROPAGATION[options.propagation] : 0), 16);
      });
      program.call('mount_setattr', tree, program.string(''), AT_EMPTY_PATH | recursive, attributes, 32);
    }
    program.call('move_mount', tree, program.string(''), AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
    program.always('close', tree);
    await program.run();
    return this.#undo(target);
  }

  async tmpfs(target: string, options: { readonly sizeBytes?: number; readonly mode?: number } = {}): Promise<Undo> {
    const words = [`mode=${(options.mode ?? 0o1777).toString(8)}`];
    if (options.sizeBytes !== undefined) words.push(`size=${options.sizeBytes}`);
    const program = new Program();
    program.call('mount', program.string('tmpfs'), target, program.string('tmpfs'), MS_NOSUID | MS_NODEV, program.string(words.join(',')));
    await program.run();
    return this.#undo(target);
  }

  async device(target: string, device: string, type: string, options: readonly string[]): Promise<Undo> {
    const program = new Program();
    const flags = options.reduce((sum, word) => sum | (MOUNT_FLAGS[word] ?? 0), 0);
    const data = options.filter((word) => !(word in MOUNT_FLAGS)).join(',');
    program.call('mount', device, target, program.string(type), flags, program.string(data));
    await program.run();
    return this.#undo(target);
  }

  async makePrivate(target: string): Promise<void> {
    const program = new Program();
    program.call('mount', program.string('none'), target, program.string(''), PROPAGATION.private | MS_REC, 0);
    await program.run();
  }

  async unmount(target: string): Promise<void> {
    for (;;) {
      const program = new Program();
      // Usually one mount, and the second call says that there is none left.
      const first = program.attempt('umount2', target, MNT_DETACH | UMOUNT_NOFOLLOW);
      const second = program.attempt('umount2', target, MNT_DETACH | UMOUNT_NOFOLLOW);
      await program.run();
      for (const step of [first, second]) {
        if (step.result === -EINVAL || step.result === -ENOENT) return;
        if (step.failed) throw new SyscallError('umount2', -step.result, target);
      }
    }
  }

  async beneath(folder: string): Promise<string[]> {
    const inside = folder.endsWith('/') ? folder : `${folder}/`;
    const targets = mountTargets(await readFile('/proc/self/mountinfo', 'utf8')).filter((target) => target === folder || target.startsWith(inside));
    return [...new Set(targets)].sort((a, b) => b.split('/').length - a.split('/').length || (a < b ? 1 : -1));
  }

  #undo(target: string): Undo {
    let done: Promise<void> | undefined;
    return () => (done ??= this.unmount(target));
  }

  async #overlayByParts(target: string, layers: OverlayLayers): Promise<void> {
    const program = new Program();
    const context = program.call('fsopen', program.string('overlay'), FSOPEN_CLOEXEC);
    const set = (key: string, value: string): void => void program.call('fsconfig', context, FSCONFIG_SET_STRING, key, value, 0);
    const flag = (key: string): void => void program.call('fsconfig', context, 0, key, 0, 0);
    set('source', 'overlay');
    for (const lower of layers.lower) set('lowerdir+', lower);
    if (layers.upper !== undefined) {
      set('upperdir', layers.upper);
      set('workdir', layers.work ?? '');
      // The upper directory must be a whole layer by itself, whatever the kernel's defaults are.
      set('redirect_dir', 'off');
      set('index', 'off');
      set('metacopy', 'off');
      if (layers.volatile) flag('volatile');
    }
    program.call('fsconfig', context, FSCONFIG_CMD_CREATE, 0, 0, 0);
    const mount = program.call('fsmount', context, FSMOUNT_CLOEXEC, 0);
    const moved = program.call('move_mount', mount, program.string(''), AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
    // The kernel says in words what it did not like.
    const words = program.allocate(512);
    const said = program.always('read', context, words, words.length);
    program.always('close', mount);
    program.always('close', context);
    try {
      await program.run();
    } catch (error) {
      if (error instanceof SyscallError && said.result > 0 && moved.failed) {
        const detail = program.read(words).toString('utf8', 0, said.result).replace(/^[ewi] /, '').trim();
        throw new SyscallError(error.syscall, -error.errno, error.path ?? target, detail || undefined);
      }
      throw error;
    }
  }

  /** For kernels before 6.8, and very long paths: the layers' descriptors make short paths, so that 128 layers fit in the page. */
  async #overlayByString(target: string, layers: OverlayLayers): Promise<void> {
    const opened: number[] = [];
    try {
      let lower = layers.lower.map(escapeOption).join(':');
      const rest =
        layers.upper === undefined
          ? ''
          : `,upperdir=${escapeOption(layers.upper)},workdir=${escapeOption(layers.work ?? '')},redirect_dir=off,index=off,metacopy=off${layers.volatile ? ',volatile' : ''}`;
      if (Buffer.byteLength(lower) + Buffer.byteLength(rest) + 9 > OPTION_BYTES) {
        const open = new Program();
        const steps = layers.lower.map((path) => open.call('openat', AT_FDCWD, path, O_PATH | O_CLOEXEC, 0));
        try {
          await open.run();
        } finally {
          opened.push(...steps.filter((step) => !step.failed).map((step) => step.result));
        }
        lower = opened.map((fd) => `/proc/self/fd/${fd}`).join(':');
      }
      const program = new Program();
      program.call('mount', program.string('overlay'), target, program.string('overlay'), 0, program.string(`lowerdir=${lower}${rest}`));
      await program.run();
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }
}

/** overlayfs splits its option at commas and colons. */
function escapeOption(path: string): string {
  return path.replaceAll(/[\\:,]/g, '\\$&');
}

/** The mount points of /proc/self/mountinfo, in its order; it writes space, tab, newline and backslash in octal. */
export function mountTargets(mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(' ')[4]!.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))));
}
