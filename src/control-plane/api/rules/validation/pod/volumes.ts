import type { DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume } from '../../../../../types/kubernetes/generated/core-v1.ts';
import { compareQuantities } from '../../../../../types/kubernetes/quantity.ts';
import { checked, each, fileMode, noBacksteps, relativePath, requiredName, unreservedPath, validateLabelSelector } from '../common.ts';
import { type Errors, Errors as Collector, type Path } from '../errors.ts';
import { dnsLabel, dnsSubdomain, inRange } from '../formats.ts';
import { validateClaimTemplate } from '../persistent-volume-claim.ts';
import { validateSignerName } from '../signer-name.ts';
import { validateFieldRef, validateResourceFieldRef } from './env.ts';

/** Fields of a pod that a downward API volume may hold as files. */
const VOLUME_FIELDS = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];
const HOST_PATH_TYPES = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];
const KEY_TYPES = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];

type Source = keyof Omit<Volume, 'name'>;
type Check = (volume: Volume, errors: Errors, path: Path) => void;

const need = <T extends object>(source: T, fields: readonly (keyof T & string)[], errors: Errors, path: Path): void => {
  for (const field of fields) {
    const value = source[field] as string | readonly unknown[] | undefined;
    if (value === undefined || value.length === 0) errors.required(path.child(field));
  }
};

/** The kinds of volume, in the order in which they are looked at. */
const SOURCES: Readonly<Partial<Record<Source, Check>>> = {
  emptyDir: ({ emptyDir }, errors, path) => {
    if (emptyDir!.sizeLimit !== undefined && compareQuantities(emptyDir!.sizeLimit, '0') < 0) {
      errors.forbidden(path.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity');
    }
  },
  hostPath: ({ hostPath }, errors, path) => {
    if (hostPath!.path === '') return errors.required(path.child('path'));
    noBacksteps(hostPath!.path, errors, path.child('path'));
    if (hostPath!.type !== undefined && !HOST_PATH_TYPES.includes(hostPath!.type)) {
      errors.notSupported(path.child('type'), hostPath!.type, HOST_PATH_TYPES);
    }
  },
  gitRepo: ({ gitRepo }, errors, path) => {
    if (gitRepo!.repository === '') errors.required(path.child('repository'));
    relativePath(gitRepo!.directory ?? '', errors, path.child('directory'));
  },
  gcePersistentDisk: ({ gcePersistentDisk: disk }, errors, path) => {
    need(disk!, ['pdName'], errors, path);
    if ((disk!.partition ?? 0) < 0 || (disk!.partition ?? 0) > 255) {
      errors.invalid(path.child('partition'), disk!.partition, inRange(1, 255));
    }
  },
  awsElasticBlockStore: ({ awsElasticBlockStore: disk }, errors, path) => {
    need(disk!, ['volumeID'], errors, path);
    if ((disk!.partition ?? 0) < 0 || (disk!.partition ?? 0) > 255) {
      errors.invalid(path.child('partition'), disk!.partition, inRange(1, 255));
    }
  },
  secret: ({ secret }, errors, path) => {
    if ((secret!.secretName ?? '') === '') errors.required(path.child('secretName'));
    fileMode(secret!.defaultMode, errors, path.child('defaultMode'));
    validateItems(secret!.items, errors, path.child('items'));
  },
  nfs: ({ nfs }, errors, path) => {
    need(nfs!, ['server', 'path'], errors, path);
    if (!nfs!.path.startsWith('/')) errors.invalid(path.child('path'), nfs!.path, 'must be an absolute path');
  },
  iscsi: ({ iscsi }, errors, path) => {
    need(iscsi!, ['targetPortal', 'iqn'], errors, path);
    if (iscsi!.lun < 0 || iscsi!.lun > 255) errors.invalid(path.child('lun'), iscsi!.lun, inRange(0, 255));
  },
  glusterfs: ({ glusterfs }, errors, path) => need(glusterfs!, ['endpoints', 'path'], errors, path),
  persistentVolumeClaim: ({ persistentVolumeClaim: claim }, errors, path) => need(claim!, ['claimName'], errors, path),
  rbd: ({ rbd }, errors, path) => need(rbd!, ['monitors', 'image'], errors, path),
  cinder: ({ cinder }, errors, path) => need(cinder!, ['volumeID'], errors, path),
  cephfs: ({ cephfs }, errors, path) => need(cephfs!, ['monitors'], errors, path),
  quobyte: ({ quobyte }, errors, path) => need(quobyte!, ['registry', 'volume'], errors, path),
  downwardAPI: ({ downwardAPI }, errors, path) => {
    fileMode(downwardAPI!.defaultMode, errors, path.child('defaultMode'));
    for (const file of each(downwardAPI!.items)) validateDownwardFile(file, errors, path);
  },
  fc: ({ fc }, errors, path) => {
    const [wwns, wwids] = [each(fc!.targetWWNs).length, each(fc!.wwids).length];
    if (wwns === 0 && wwids === 0) errors.required(path.child('targetWWNs'), 'must specify either targetWWNs or wwids, but not both');
    if (wwns > 0 && wwids > 0) {
      errors.invalid(path.child('targetWWNs'), fc!.targetWWNs, 'targetWWNs and wwids can not be specified simultaneously');
    }
    if (wwns > 0 && fc!.lun === undefined) errors.required(path.child('lun'), 'lun is required if targetWWNs is specified');
  },
  flexVolume: ({ flexVolume }, errors, path) => need(flexVolume!, ['driver'], errors, path),
  configMap: ({ configMap }, errors, path) => {
    if ((configMap!.name ?? '') === '') errors.required(path.child('name'));
    fileMode(configMap!.defaultMode, errors, path.child('defaultMode'));
    validateItems(configMap!.items, errors, path.child('items'));
  },
  azureFile: ({ azureFile }, errors, path) => need(azureFile!, ['secretName', 'shareName'], errors, path),
  vsphereVolume: ({ vsphereVolume }, errors, path) => need(vsphereVolume!, ['volumePath'], errors, path),
  photonPersistentDisk: ({ photonPersistentDisk }, errors, path) => need(photonPersistentDisk!, ['pdID'], errors, path),
  portworxVolume: ({ portworxVolume }, errors, path) => need(portworxVolume!, ['volumeID'], errors, path),
  azureDisk: ({ azureDisk }, errors, path) => need(azureDisk!, ['diskName', 'diskURI'], errors, path),
  storageos: ({ storageos }, errors, path) => {
    if ((storageos!.volumeName ?? '') !== '') {
      checked(storageos!.volumeName!, dnsLabel, errors, path.child('volumeName'));
    }
  },
  projected: ({ projected }, errors, path) => {
    fileMode(projected!.defaultMode, errors, path.child('defaultMode'));
    validateProjections(projected!, errors, path);
  },
  scaleIO: ({ scaleIO }, errors, path) => need(scaleIO!, ['gateway', 'system', 'volumeName'], errors, path),
  csi: ({ csi }, errors, path) => {
    validateDriverName(csi!.driver, errors, path.child('driver'));
    const secret = csi!.nodePublishSecretRef;
    if (secret === undefined) return;
    if ((secret.name ?? '') === '') errors.required(path.child('nodePublishSecretRef').child('name'));
    else checked(secret.name!, dnsSubdomain, errors, path.child('name'));
  },
  ephemeral: ({ ephemeral }, errors, path) => {
    const template = ephemeral!.volumeClaimTemplate;
    if (template === undefined) errors.required(path.child('volumeClaimTemplate'));
    else validateClaimTemplate(template, errors, path.child('volumeClaimTemplate'));
  },
  image: ({ image }, errors, path) => {
    const { pullPolicy = '' } = image!;
    errors.oneOf(path.child('pullPolicy'), pullPolicy, ['Always', 'IfNotPresent', 'Never']);
  },
};
const ORDER = Object.keys(SOURCES) as Source[];

/** What else calls a kind of volume by another name in its errors. */
const TOLD: Readonly<Partial<Record<Source, string>>> = { gcePersistentDisk: 'persistentDisk' };
const TOLD_TWICE: Readonly<Partial<Record<Source, string>>> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' };

export function validateDriverName(name: string, errors: Errors, path: Path): void {
  if (name === '') return errors.required(path);
  if (name.length > 63) errors.tooLong(path, 63);
  errors.invalidEach(path, name, dnsSubdomain(name.toLowerCase()));
}

/**
 * The volumes of a pod. @param podName '' for a template
 * @returns those without a fault, by name; mounts may name these alone
 */
export function validateVolumes(
  volumes: readonly Volume[] | undefined,
  podName: string,
  isPod: boolean,
  errors: Errors,
  path: Path,
): ReadonlyMap<string, Volume> {
  const good = new Map<string, Volume>();
  if (volumes === undefined) return good;
  const made = new Set(podName === '' ? [] : volumes.filter((v) => v.ephemeral !== undefined).map((v) => `${podName}-${v.name}`));
  volumes.forEach((volume, n) => {
    const at = path.index(n);
    const own = new Collector();
    validateSource(volume, podName, isPod, own, at);
    requiredName(volume.name, dnsLabel, own, at.child('name'));
    if (good.has(volume.name)) own.duplicate(at.child('name'), volume.name);
    if (own.list.length === 0) good.set(volume.name, volume);
    else errors.list.push(...own.list);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && made.has(claim)) {
      errors.invalid(
        at.child('persistentVolumeClaim').child('claimName'),
        claim,
        'must not reference a PVC that gets created for an ephemeral volume',
      );
    }
  });
  return good;
}

function validateSource(volume: Volume, podName: string, isPod: boolean, errors: Errors, path: Path): void {
  let first: Source | undefined;
  for (const source of ORDER) {
    if (volume[source] === undefined) continue;
    if (first !== undefined) errors.forbidden(path.child(TOLD_TWICE[source] ?? source), 'may not specify more than 1 volume type');
    else {
      first = source;
      SOURCES[source]!(volume, errors, path.child(TOLD[source] ?? source));
    }
  }
  if (first === undefined) errors.required(path, 'must specify a volume type');
  if (isPod && first === 'image' && (volume.image!.reference ?? '') === '') errors.required(path.child('image').child('reference'));
  if (volume.iscsi?.initiatorName !== undefined && `${volume.name}:${volume.iscsi.targetPortal}`.length > 64) {
    errors.invalid(
      path.child('name'),
      volume.name,
      'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.',
    );
  }
  if (volume.ephemeral !== undefined && podName !== '' && volume.name !== '') {
    const claim = `${podName}-${volume.name}`;
    for (const wrong of dnsSubdomain(claim)) errors.invalid(path.child('name'), volume.name, `PVC name ${JSON.stringify(claim)}: ${wrong}`);
  }
}

function validateItems(items: readonly KeyToPath[] | undefined, errors: Errors, path: Path): void {
  each(items).forEach((item, n) => {
    const at = path.index(n);
    if (item.key === '') errors.required(at.child('key'));
    if (item.path === '') errors.required(at.child('path'));
    unreservedPath(item.path, errors, at.child('path'));
    fileMode(item.mode, errors, at.child('mode'));
  });
}

function validateDownwardFile(file: DownwardAPIVolumeFile, errors: Errors, path: Path): void {
  if (file.path === '') errors.required(path.child('path'));
  unreservedPath(file.path, errors, path.child('path'));
  if (file.fieldRef !== undefined) {
    validateFieldRef(file.fieldRef, VOLUME_FIELDS, errors, path.child('fieldRef'));
    if (file.resourceFieldRef !== undefined) {
      errors.invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously');
    }
  } else if (file.resourceFieldRef !== undefined) {
    validateResourceFieldRef(file.resourceFieldRef, true, errors, path.child('resourceFieldRef'));
  } else {
    errors.required(path, 'one of fieldRef and resourceFieldRef is required');
  }
  fileMode(file.mode, errors, path.child('mode'));
}

function validateProjections(projected: ProjectedVolumeSource, errors: Errors, path: Path): void {
  const paths = new Set<string>();
  const claim = (file: string, told: string): void => {
    if (file === '') return;
    if (paths.has(file)) errors.invalid(path, told, 'conflicting duplicate paths');
    paths.add(file);
  };
  each(projected.sources).forEach((source, n) => {
    const at = path.child('sources').index(n);
    const { secret, configMap, downwardAPI, serviceAccountToken: token, clusterTrustBundle: bundle, podCertificate: certificate } = source;
    for (const [name, named] of [['secret', secret], ['configMap', configMap]] as const) {
      if (named === undefined) continue;
      if ((named.name ?? '') === '') errors.required(at.child(name).child('name'));
      validateItems(named.items, errors, at.child(name).child('items'));
      for (const item of each(named.items)) claim(item.path, named.name ?? '');
    }
    for (const file of each(downwardAPI?.items)) {
      validateDownwardFile(file, errors, at.child('downwardAPI'));
      claim(file.path, file.path);
    }
    if (token !== undefined) {
      const seconds = token.expirationSeconds ?? 3600;
      const field = at.child('serviceAccountToken').child('expirationSeconds');
      if (seconds < 600) errors.invalid(field, seconds, 'may not specify a duration less than 10 minutes');
      if (seconds > 2 ** 32) errors.invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds');
      if (token.path === '') errors.required(path.child('path'));
      else unreservedPath(token.path, errors, path.child('path'));
    }
    if (bundle !== undefined) validateTrustBundle(bundle, claim, errors, at.child('clusterTrustBundle'));
    if (certificate !== undefined) validatePodCertificate(certificate, claim, errors, at.child('podCertificate'));
    const sources = [secret, configMap, downwardAPI, token, bundle, certificate].filter((s) => s !== undefined).length;
    if (sources > 1) errors.forbidden(at, 'may not specify more than 1 volume type per source');
  });
}

type Projection = NonNullable<ProjectedVolumeSource['sources']>[number];
type Claim = (file: string, told: string) => void;

function validateTrustBundle(bundle: NonNullable<Projection['clusterTrustBundle']>, claim: Claim, errors: Errors, path: Path): void {
  const { name, signerName } = bundle;
  if (name !== undefined && signerName !== undefined) errors.invalid(path, bundle, 'only one of name and signerName may be used');
  else if (name !== undefined) {
    if (name === '') {
      errors.required(path.child('name'), 'must be a valid object name');
    } else if (!name.includes(':')) {
      for (const wrong of dnsSubdomain(name)) {
        errors.invalid(path.child('name'), name, `not a valid clustertrustbundlename: ${wrong}`);
      }
    }
    if (bundle.labelSelector !== undefined) {
      errors.invalid(path.child('labelSelector'), bundle.labelSelector, 'labelSelector must be unset if name is specified');
    }
  } else if (signerName !== undefined) {
    if (signerName === '') errors.required(path.child('signerName'), 'must be a valid signer name');
    validateSignerName(signerName, errors, path.child('signerName'));
    validateLabelSelector(bundle.labelSelector, errors, path.child('labelSelector'));
  } else errors.required(path, 'either name or signerName must be specified');
  if (bundle.path === '') errors.required(path.child('path'));
  unreservedPath(bundle.path, errors, path.child('path'));
  claim(bundle.path, bundle.path);
}

function validatePodCertificate(certificate: NonNullable<Projection['podCertificate']>, claim: Claim, errors: Errors, path: Path): void {
  validateSignerName(certificate.signerName ?? '', errors, path.child('signerName'));
  if (!KEY_TYPES.includes(certificate.keyType ?? '')) errors.notSupported(path.child('keyType'), certificate.keyType ?? '', KEY_TYPES);
  const seconds = certificate.maxExpirationSeconds;
  if (seconds !== undefined && seconds < 3600) {
    errors.invalid(path.child('maxExpirationSeconds'), seconds, 'if provided, maxExpirationSeconds must be >= 3600');
  }
  let files = 0;
  for (const field of ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const) {
    const file = certificate[field] ?? '';
    if (file === '') continue;
    files++;
    unreservedPath(file, errors, path.child(field));
    claim(file, file);
  }
  if (files === 0) errors.required(path, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath');
}
