import { chainIds } from './digest.ts';
import { parseManifest } from './manifest.ts';
import type { Parts } from './parts.ts';
import type { RegistryManifest } from './registry-records.ts';

/** Blobs that a crash left without an owner are kept for this long after they were written. */
const GRACE_MS = 60 * 60 * 1000;

/**
 * Deletes the blobs and unpacked layers that no image, name, registry repository, active
 * snapshot or lease needs. @param startedMs when this process began: older blobs have no lease in memory
 */
export async function collectGarbage(parts: Parts, startedMs: number): Promise<{ readonly bytes: number; readonly deleted: readonly string[] }> {
  const { catalog, clock, content, layers, leases, snapshots } = parts;
  const { blobs, chains } = await mark(parts);
  let bytes = 0;
  const deleted: string[] = [];
  for await (const blob of content.list()) {
    if (blobs.has(blob.digest) || leases.holds(blob.digest)) continue;
    // The file system's clock lags behind by some milliseconds.
    if (blob.mtimeMs < startedMs - 1000 && clock.now() - blob.mtimeMs < GRACE_MS) continue;
    // Somebody may have come to need it while we looked at others.
    if (isNeeded(parts, blob.digest)) continue;
    await content.remove(blob.digest);
    bytes += blob.size;
    deleted.push(blob.digest);
  }
  const standing = snapshots.parents();
  for (const chain of standing) for (let at: string | undefined = chain; at !== undefined; at = layers.get(at)?.parent) chains.add(at);
  for (const layer of layers.all()) {
    if (chains.has(layer.chainId) || leases.holds(layer.chainId) || layers.isBusy(layer.chainId)) continue;
    if (snapshots.parents().has(layer.chainId)) continue;
    await layers.remove(layer.chainId);
    bytes += layer.bytes;
    deleted.push(layer.chainId);
  }
  // Mappings to compressed forms of layers that are gone.
  const diffIds = new Set([...layers.all()].map((layer) => layer.diffId));
  const stale = [...catalog.journal.table('compressed').keys()].filter((diffId) => !diffIds.has(diffId) && !blobs.has(diffId));
  await catalog.journal.commit(stale.map((key) => ({ table: 'compressed', key })));
  return { bytes, deleted };
}

async function mark(parts: Parts): Promise<{ blobs: Set<string>; chains: Set<string> }> {
  const { catalog } = parts;
  const blobs = new Set<string>();
  const chains = new Set<string>();
  for (const [id, record] of catalog.images) {
    blobs.add(id).add(record.manifest);
    const { document, layers } = await catalog.read(record.manifest);
    for (const layer of layers) blobs.add(layer.digest);
    for (const chain of chainIds(document.rootfs.diff_ids)) chains.add(chain);
  }
  for (const table of [catalog.references, catalog.digests]) for (const record of table.values()) blobs.add(record.target);
  for (const key of catalog.journal.table<RegistryManifest>('manifests').keys()) {
    await markManifest(parts, key.slice(key.indexOf('@') + 1), blobs);
  }
  return { blobs, chains };
}

/** A manifest of the registry, and what it names. */
async function markManifest(parts: Parts, digest: string, blobs: Set<string>): Promise<void> {
  blobs.add(digest);
  if (!(await parts.content.has(digest))) return;
  const { manifest, index } = parseManifest(await parts.content.read(digest));
  if (manifest) for (const { digest } of [manifest.config, ...manifest.layers]) blobs.add(digest);
  else for (const entry of index.manifests) if (!blobs.has(entry.digest)) await markManifest(parts, entry.digest, blobs);
}

function isNeeded(parts: Parts, digest: string): boolean {
  return parts.catalog.images.has(digest) || [...parts.catalog.images.values()].some((record) => record.manifest === digest);
}
