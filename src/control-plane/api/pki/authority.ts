import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { isErrno, LongshoreError, messageOf } from '../../../lib/errors.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Random } from '../../../lib/random.ts';
import { issueCertificate, keyPem, newKey, type Issuer, type KeyPair } from './certificate.ts';
import type { Subject } from './names.ts';
import { readSigningRequest, type SigningRequest } from './signing-request.ts';

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
const LEAF_DAYS = 365;
/** A certificate that ends sooner than this is made anew at the next start. */
const RENEW_BEFORE_DAYS = 60;
/** Certificates begin a little in the past, for clocks that differ. */
const BACKDATE_MS = 3_600_000;

export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}

/**
 * The cluster's certificate authority, kept in a folder over restarts: `ca`,
 * the server's certificate, a client certificate for each component, and the
 * key that signs service-account tokens. Every key file has mode 0600.
 */
export class Authority {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #issuer: Issuer;
  /** PEM. */
  readonly certificate: string;

  private constructor(folder: string, clock: Clock, random: Random, issuer: Issuer, certificate: string) {
    this.#folder = folder;
    this.#clock = clock;
    this.#random = random;
    this.#issuer = issuer;
    this.certificate = certificate;
  }

  /** Reads the authority of a folder, or makes it. @throws LongshoreError `invalid` when a file there is broken */
  static async open(folder: string, clock: Clock, random: Random): Promise<Authority> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found = await readPair(folder, 'ca');
    if (found !== undefined) return new Authority(folder, clock, random, issuerOf(folder, found), found.certificate);
    const pair = await newKey();
    const subject: Subject = { commonName: 'longshore-ca', organizations: [] };
    const issuer: Issuer = { subject, key: pair.privateKey, publicKey: pair.publicKey };
    const now = clock.now();
    const certificate = issueCertificate(
      { subject, publicKey: pair.publicKey, use: 'authority', notBefore: now - BACKDATE_MS, notAfter: now + AUTHORITY_DAYS * DAY_MS },
      issuer,
      random,
    );
    await writePair(folder, 'ca', { certificate, key: keyPem(pair.privateKey) });
    return new Authority(folder, clock, random, issuer, certificate);
  }

  /** The server's certificate for these names and addresses; made anew when one is missing or the time is near. */
  async server(names: readonly string[]): Promise<Credentials> {
    return this.#keep('server', { commonName: 'kube-apiserver', organizations: [] }, 'server', names);
  }

  /** A client certificate that is kept under `file`: the user is the common name, the groups are the organizations. */
  async client(file: string, subject: Subject): Promise<Credentials> {
    return this.#keep(file, subject, 'client', []);
  }

  /** A certificate that serves a node's API and identifies the node: kept by its owner, not here. */
  async issue(subject: Subject, use: 'server' | 'client' | 'server and client', names: readonly string[] = []): Promise<Credentials> {
    return this.#make(subject, use, names);
  }

  /** The EC key (P-256) that signs service-account tokens. */
  async signingKey(): Promise<KeyPair> {
    const found = await read(join(this.#folder, 'sa.key'));
    if (found !== undefined) {
      try {
        const privateKey = createPrivateKey(found);
        return { privateKey, publicKey: createPublicKey(privateKey) };
      } catch (error) {
        const path = join(this.#folder, 'sa.key');
        throw new LongshoreError('invalid', `cannot read the key that signs service-account tokens, ${path}: ${messageOf(error)}`, {
          object: path,
          remedy: 'Restore the file from a backup, or remove it to make a new key; tokens that were given out are void then.',
          cause: error,
        });
      }
    }
    const pair = await newKey();
    await write(join(this.#folder, 'sa.key'), keyPem(pair.privateKey), 0o600);
    return pair;
  }

  /** A secret token that is kept under `file`, 32 random bytes in hexadecimal. */
  async token(file: string): Promise<string> {
    const path = join(this.#folder, file);
    const found = await read(path);
    if (found !== undefined) return found.trim();
    const token = this.#random.bytes(32).toString('hex');
    await write(path, `${token}\n`, 0o600);
    return token;
  }

  /** `sha256:` and the hash of the authority's public key, by which a joining node knows it. */
  publicKeyHash(): string {
    return `sha256:${createHash('sha256').update(this.#issuer.publicKey.export({ type: 'spki', format: 'der' })).digest('hex')}`;
  }

  /** Signs what a request asks for, after somebody decided that it may. `lifetimeMs` is cut at that of a leaf. */
  sign(request: SigningRequest, use: 'server' | 'client', lifetimeMs: number): string {
    const now = this.#clock.now();
    return issueCertificate(
      {
        subject: request.subject,
        publicKey: request.publicKey,
        use,
        alternativeNames: request.alternativeNames,
        notBefore: now - 300_000,
        notAfter: now + Math.min(lifetimeMs, LEAF_DAYS * DAY_MS),
      },
      this.#issuer,
      this.#random,
    );
  }

  /** Reads a PEM request. @throws LongshoreError `invalid` */
  readRequest(pem: string): SigningRequest {
    return readSigningRequest(pem);
  }

  async #keep(file: string, subject: Subject, use: 'server' | 'client', names: readonly string[]): Promise<Credentials> {
    const found = await readPair(this.#folder, file);
    if (found !== undefined && this.#good(found, names)) return found;
    const made = await this.#make(subject, use, names);
    await writePair(this.#folder, file, made);
    return made;
  }

  async #make(subject: Subject, use: 'server' | 'client' | 'server and client', names: readonly string[]): Promise<Credentials> {
    const pair = await newKey();
    const now = this.#clock.now();
    const certificate = issueCertificate(
      {
        subject,
        publicKey: pair.publicKey,
        use,
        alternativeNames: names,
        notBefore: now - BACKDATE_MS,
        notAfter: now + LEAF_DAYS * DAY_MS,
      },
      this.#issuer,
      this.#random,
    );
    return { certificate, key: keyPem(pair.privateKey) };
  }

  /** False also for a damaged one, and for halves of two: a crash may come between the writes of key and certificate. */
  #good(pair: Credentials, names: readonly string[]): boolean {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(pair.certificate);
      if (!certificate.checkPrivateKey(createPrivateKey(pair.key))) return false;
    } catch {
      return false; // whatever is wrong with it, it is made anew
    }
    const inTime = certificate.validToDate.getTime() - this.#clock.now() > RENEW_BEFORE_DAYS * DAY_MS;
    return (
      inTime &&
      certificate.verify(this.#issuer.publicKey) &&
      names.every((name) => (isIP(name) > 0 ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined)
    );
  }
}

function issuerOf(folder: string, pair: Credentials): Issuer {
  try {
    const key = createPrivateKey(pair.key);
    const certificate = new X509Certificate(pair.certificate);
    if (!certificate.checkPrivateKey(key)) throw new LongshoreError('invalid', 'ca.key is not the key of ca.crt');
    return { subject: { commonName: 'longshore-ca', organizations: [] }, key, publicKey: certificate.publicKey };
  } catch (error) {
    throw new LongshoreError('invalid', `cannot read the certificate authority in ${folder}: ${messageOf(error)}`, {
      object: folder,
      remedy: 'Restore ca.crt and ca.key from a copy, or remove the folder to make a new authority; nodes have to join again then.',
      cause: error,
    });
  }
}

async function readPair(folder: string, name: string): Promise<Credentials | undefined> {
  const [certificate, key] = await Promise.all([read(join(folder, `${name}.crt`)), read(join(folder, `${name}.key`))]);
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

async function writePair(folder: string, name: string, pair: Credentials): Promise<void> {
  await write(join(folder, `${name}.key`), pair.key, 0o600);
  await write(join(folder, `${name}.crt`), pair.certificate, 0o644);
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Whole or not at all: written beside, then renamed. */
async function write(path: string, text: string, mode: number): Promise<void> {
  const beside = `${path}.new`;
  await writeFile(beside, text, { mode });
  await chmod(beside, mode);
  await rename(beside, path);
}
