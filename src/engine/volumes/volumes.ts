/** # Named volumes: folders that outlive containers. */
export interface Volumes {
  list(): Promise<readonly Volume[]>;
  /** @throws `not-found` (`get x: no such volume`) */
  get(name: string): Promise<Volume>;
  /** The same name again gives the same volume. An empty name gets a random one (anonymous). @throws `invalid` (name) */
  create(options: {
    readonly name?: string;
    readonly driver?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly driverOpts?: Readonly<Record<string, string>>;
  }): Promise<Volume>;
  /** @throws `conflict` when `users` names containers */
  remove(name: string, options: { readonly force?: boolean; readonly users: readonly string[] }): Promise<void>;
  /**
   * Fills a new, empty volume with what the image has at the mount's path (owner, mode, links and attributes kept). Once per volume.
   * `path` is resolved within `root`, the mounted image, as in a chroot: an image's symlinks lead nowhere else. Nothing there, or no folder: the volume stays empty.
   * A string alone is trusted: a folder that no image or container can have prepared.
   */
  populate(name: string, from: string | { readonly root: string; readonly path: string }): Promise<void>;
  usage(name: string): Promise<number>;
  /**
   * Makes the volume's data reachable (a volume with a device, such as NFS, tmpfs or a bind, is mounted at its first use) and
   * returns the mountpoint. To be called before each start of a container that uses it.
   */
  ready(name: string): Promise<string>;
  /** Unmounts what `ready` mounted; for the caller that knows that no container uses the volume any more. */
  release(name: string): Promise<void>;
  /** Unmounts all; data and definitions stay. */
  destroy(): Promise<void>;
}

export interface Volume {
  readonly name: string;
  readonly driver: 'local';
  readonly mountpoint: string;
  readonly createdMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly anonymous: boolean;
}
