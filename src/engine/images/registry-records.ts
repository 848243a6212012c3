/** A manifest that was pushed to our registry: key `repository@digest` of the journal's table `manifests`. */
export interface RegistryManifest {
  readonly mediaType: string;
  readonly size: number;
  readonly subject?: string;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Key `repository:tag` of the table `tags`. */
export interface RegistryTag {
  readonly digest: string;
}
