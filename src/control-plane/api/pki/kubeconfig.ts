import { Document, isMap, isSeq, parseDocument, YAMLMap } from 'yaml';
import { LongshoreError } from '../../../lib/errors.ts';

/** One cluster with one user, as `kubectl config` names them. */
export interface KubeconfigEntry {
  /** Name of the cluster, the user and the context alike. */
  readonly name: string;
  readonly server: string;
  /** PEM. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/**
 * Puts an entry into a kubeconfig and keeps everything else, comments too.
 * Pure: text in, text out.
 * @param existing the file's text; undefined or empty makes a new one
 * @param makeCurrent whether `current-context` moves to the entry; a file without one always gets it
 * @throws LongshoreError `invalid` when the text is no kubeconfig
 */
export function mergeKubeconfig(existing: string | undefined, entry: KubeconfigEntry, makeCurrent: boolean): string {
  const document = open(existing);
  upsert(document, 'clusters', entry.name, 'cluster', { server: entry.server, 'certificate-authority-data': base64(entry.authority) });
  upsert(document, 'users', entry.name, 'user', { 'client-certificate-data': base64(entry.certificate), 'client-key-data': base64(entry.key) });
  upsert(document, 'contexts', entry.name, 'context', { cluster: entry.name, user: entry.name });
  if (makeCurrent || !document.get('current-context')) document.set('current-context', entry.name);
  return document.toString({ lineWidth: 0 });
}

/** Takes an entry out again; the current context goes with it. Everything else stays. */
export function removeFromKubeconfig(existing: string, name: string): string {
  const document = open(existing);
  for (const list of ['clusters', 'users', 'contexts']) {
    const items = document.get(list);
    if (isSeq(items)) items.items = items.items.filter((item) => !(isMap(item) && item.get('name') === name));
  }
  if (document.get('current-context') === name) document.set('current-context', '');
  return document.toString({ lineWidth: 0 });
}

/** A kubeconfig that holds the entry alone. */
export function newKubeconfig(entry: KubeconfigEntry): string {
  return mergeKubeconfig(undefined, entry, true);
}

function open(text: string | undefined): Document {
  const document = parseDocument(text ?? '');
  const problem = document.errors[0];
  if (problem !== undefined) {
    throw new LongshoreError('invalid', `the kubeconfig is not valid YAML: ${problem.message}`, {
      remedy: 'repair it, or name another file with KUBECONFIG',
    });
  }
  if (document.contents === null) {
    return new Document({ apiVersion: 'v1', kind: 'Config', clusters: [], contexts: [], 'current-context': '', users: [] });
  }
  if (!isMap(document.contents)) {
    throw new LongshoreError('invalid', 'the kubeconfig is not a YAML mapping', {
      remedy: 'repair it, or name another file with KUBECONFIG',
    });
  }
  return document;
}

function upsert(document: Document, list: string, name: string, field: string, value: Record<string, string>): void {
  let items = document.get(list);
  if (!isSeq(items)) {
    items = document.createNode([]);
    document.set(list, items);
  }
  if (!isSeq(items)) throw new LongshoreError('internal', `could not add a list of ${list} to the kubeconfig`);
  items.flow = false;
  const at = items.items.findIndex((item) => isMap(item) && item.get('name') === name);
  const node = document.createNode({ name, [field]: value });
  if (!(node instanceof YAMLMap)) throw new LongshoreError('internal', 'could not make an entry of the kubeconfig');
  if (at >= 0) items.items[at] = node;
  else items.items.push(node);
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}
