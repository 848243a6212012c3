/** # Named volumes: folders that outlive containers. */
export interface Volumes {
  list(): Promise<readonly Volume[]>;
  /** @throws `not-found` (`get x: no such volume`) */
  get(name: string): Promise<Volume>;
  /** The same name again gives the same volume. An empty name gets a random one (anonymous). @throws `invalid` (name) */
  create(options: { readonly name?: string; readonly driver?: string; readonly labels?: Readonly<Record<string, string>>; readonly driverOpts?: Readonly<Record<string, string>> }): Promise<Volume>;
  /** @throws `conflict` when `users` names containers */
  remove(name: string, options: { readonly force?: boolean; readonly users: readonly string[] }): Promise<void>;
  /** Fills a new, empty volume with what the image has at the mount's path (owner, mode and links kept). Once per volume. */
  populate(name: string, from: string): Promise<void>;
  usage(name: string): Promise<number>;
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
