/** What both sides have: how its processes are found, and what was prepared on it once. */
export interface Side {
  readonly name: 'ours' | 'peer';
  /** All processes of it. */
  pids(): Promise<number[]>;
  /** What rows have prepared, by name. */
  readonly prepared: Map<string, Promise<unknown>>;
}

export interface DockerSide extends Side {
  /** For the docker command: where the engine is. */
  readonly env: Readonly<Record<string, string>>;
  /** What goes before a program that must live on the engine's network. */
  readonly enter: readonly string[];
}

export interface KubeSide extends Side {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  readonly kubeconfig: string;
  /** A service account's that may do all. */
  readonly token: string;
}

/** Prepares something on a side once, whichever row comes first. */
export async function prepared<T>(side: Side, name: string, make: () => Promise<T>): Promise<T> {
  const found = side.prepared.get(name) as Promise<T> | undefined;
  const promise = found ?? make();
  if (found === undefined) side.prepared.set(name, promise);
  return await promise;
}
