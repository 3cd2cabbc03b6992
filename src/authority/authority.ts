/**
 * An authority that issues certificates for names as they are asked for, to look into tunnels whose client trusts it.
 *
 * All leafs of a process have one key, as mitmproxy's have: a key for each name would have to be made while a client
 * waits, and whoever could read one could read all. They are valid for days, so that nothing has to be revoked.
 * The chain that is sent has what a client needs to reach its root, without the root, which it has to have anyway.
 * Not here: secure contexts, and keeping them (leaf-cache.ts); making an authority (authority-certificate.ts).
 */

import type { KeyObject, X509Certificate } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { isAllowed, type NameConstraints } from "./constraints.ts";
import { type LeafName, type NameRefusal, parseLeafName } from "./leaf-name.ts";
import { createSerial } from "./serial.ts";
import type { AuthorityFacts } from "./x509-read.ts";

/** As an operator has them. */
export interface AuthorityFiles {
  /** PEM: the authority's certificate, then those that lead to its root; the root may be missing. */
  readonly certificatePem: string;
  /** PEM, without a passphrase. */
  readonly privateKeyPem: string;
}

/** What makes an authority unusable. */
export interface AuthorityFault {
  readonly about: "certificate" | "private key";
  /** What is wrong and what is allowed, to be read after the name of the option; without a full stop. */
  readonly message: string;
}

/** What an operator should hear of an authority that can be used, or could before or later. */
export type AuthorityWarning = "expired" | "not-yet-valid" | "expires-soon";

/** In words that are as few as a metric's series. */
export type LeafRefusal = NameRefusal | "outside-constraints" | "authority-out-of-date";

/** A certificate for one name. */
export interface Leaf {
  /** In its one form: lower case, without a dot at its end. */
  readonly name: string;
  /** The leaf, then what leads from it to the root. */
  readonly certificatePem: string;
  /** PKCS #8; the same for every leaf of an authority. */
  readonly privateKeyPem: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  /** From then on another one should be issued. */
  readonly renewAtUnixMs: number;
}

/** What can be issued, and until when. */
export interface Authority {
  /** SHA-256 of the certificate, as `openssl x509 -fingerprint` writes it. */
  readonly fingerprint: string;
  /** The first of the chain's certificates is over by then. */
  readonly notAfterUnixMs: number;
  /** By the clock, at the moment of the call. */
  warning(): AuthorityWarning | undefined;
  /** Whether it may vouch for a name: one that is none it may not. Its own dates are not looked at. */
  permits(name: string): boolean;
  /** @param name what a client asked for: a DNS name or an IP address without brackets, or anything else */
  issueLeaf(name: string): Promise<{ readonly value: Leaf } | { readonly refused: LeafRefusal }>;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Clients whose clock is behind. */
const BACKDATED_MS = HOUR_MS;
/** Short, since nothing revokes it; long enough for a client that keeps a session. */
const LEAF_LIFE_MS = 7 * DAY_MS;
const RENEW_BEFORE_MS = DAY_MS;
/** A month: time to hand out another one. */
const SOON_MS = 30 * DAY_MS;
/** The public web's longest have four. OpenSSL would follow 100, in each handshake. */
const CHAIN_MAX = 10;
const RSA_BITS_MIN = 2048;
/** A signature with 16,384 bits takes 0.3 s. */
const RSA_BITS_MAX = 8192;
const CURVES: readonly (string | undefined)[] = ["prime256v1", "secp384r1"];
/** RFC 5280, section 4.2.1.12. */
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const ANY_PURPOSE = "2.5.29.37.0";
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
interface Link {
  readonly certificate: X509Certificate;
  readonly facts: AuthorityFacts;
}

/** @returns every fault that can be told apart */
export async function loadAuthority(
  files: AuthorityFiles,
  clock: Clock,
): Promise<{ readonly value: Authority } | { readonly faults: readonly AuthorityFault[] }> {
  // Loaded with the first authority: the library takes as long as a tenth of a start.
  const [crypto, { readAuthorityFacts }, { createLeafWriter, keyIdentifierOf }] = await Promise.all([
    import("node:crypto"),
    import("./x509-read.ts"),
    import("./x509-write.ts"),
  ]);
  const chain = readChain(files.certificatePem, (pem) => new crypto.X509Certificate(pem), readAuthorityFacts);
  const key = readKey(files.privateKeyPem, crypto.createPrivateKey);
  if (key === undefined) chain.faults.push(aboutKey("has no readable key; allowed: PEM, no passphrase"));
  const [own] = chain.links;
  if (own === undefined || key === undefined) return { faults: chain.faults };
  const { certificate, facts } = own;
  if (!certificate.checkPrivateKey(key)) {
    chain.faults.push(aboutKey("is not the key of the certificate; allowed: the key it was issued for"));
  }
  chain.faults.push(...chainFaults(chain.links), ...purposeFaults(own));
  if (chain.faults.length > 0) return { faults: chain.faults };

  const issuerKeyIdentifier = facts.keyIdentifier ?? keyIdentifierOf(certificate.publicKey);
  const pair = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const write = createLeafWriter({ subject: facts.subject, key }, issuerKeyIdentifier, pair.publicKey);
  const privateKeyPem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { value: createAuthority(chain.links, { write, privateKeyPem, clock }) };
}

interface Means {
  readonly write: (parts: ReturnType<typeof datesOf> & { readonly name: LeafName }) => Promise<string>;
  readonly privateKeyPem: string;
  readonly clock: Clock;
}

function createAuthority(links: readonly Link[], { write, privateKeyPem, clock }: Means): Authority {
  const fingerprint = links[0]?.certificate.fingerprint256 ?? "";
  const { notBeforeUnixMs, notAfterUnixMs } = lifeOf(links);
  const constraints = links.flatMap(({ facts }) => facts.constraints ?? []);
  const above = links.filter(({ certificate }) => !isSelfSigned(certificate));
  const abovePem = above.map(({ certificate }) => certificate.toString()).join("");

  return {
    fingerprint,
    notAfterUnixMs,
    warning() {
      const nowMs = clock.unixMs();
      if (nowMs < notBeforeUnixMs) return "not-yet-valid";
      if (nowMs >= notAfterUnixMs) return "expired";
      return nowMs >= notAfterUnixMs - SOON_MS ? "expires-soon" : undefined;
    },
    permits(text) {
      const name = parseLeafName(text);
      return "value" in name && areAllowing(constraints, name.value);
    },
    async issueLeaf(text) {
      const name = parseLeafName(text);
      if ("refused" in name) return name;
      if (!areAllowing(constraints, name.value)) return { refused: "outside-constraints" };
      const nowMs = clock.unixMs();
      if (nowMs < notBeforeUnixMs || nowMs >= notAfterUnixMs) return { refused: "authority-out-of-date" };
      const dates = datesOf(links, clock);
      const leafPem = await write({ name: name.value, ...dates });
      // One that ends with its authority would not be followed by a longer one.
      const isLast = dates.notAfterUnixMs >= notAfterUnixMs;
      return {
        value: {
          name: name.value.text,
          certificatePem: leafPem + abovePem,
          privateKeyPem,
          notBeforeUnixMs: dates.notBeforeUnixMs,
          notAfterUnixMs: dates.notAfterUnixMs,
          renewAtUnixMs: isLast ? dates.notAfterUnixMs : dates.notAfterUnixMs - RENEW_BEFORE_MS,
        },
      };
    },
  };
}

/** Constraints of all certificates of a chain count together (RFC 5280, section 6.1.4). */
function areAllowing(constraints: readonly NameConstraints[], name: LeafName): boolean {
  return constraints.every((one) => isAllowed(one, name));
}

/** When the whole chain is valid. */
function lifeOf(links: readonly Link[]): { notBeforeUnixMs: number; notAfterUnixMs: number } {
  return {
    notBeforeUnixMs: Math.max(...links.map(({ facts }) => facts.notBeforeUnixMs)),
    notAfterUnixMs: Math.min(...links.map(({ facts }) => facts.notAfterUnixMs)),
  };
}

/** Whole seconds, as a certificate has them. */
function datesOf(links: readonly Link[], clock: Clock) {
  const nowMs = Math.floor(clock.unixMs() / 1000) * 1000;
  return {
    serial: createSerial(),
    notBeforeUnixMs: nowMs - BACKDATED_MS,
    notAfterUnixMs: Math.min(nowMs + LEAF_LIFE_MS, lifeOf(links).notAfterUnixMs),
  };
}

function readChain(
  pem: string,
  parse: (pem: string) => X509Certificate,
  readFacts: (certificate: X509Certificate) => AuthorityFacts | undefined,
): { readonly links: readonly Link[]; readonly faults: AuthorityFault[] } {
  const blocks = pem.match(CERTIFICATE) ?? [];
  const none = (message: string) => ({ links: [], faults: [aboutCertificate(message)] });
  if (blocks.length === 0) return none("has no certificate; allowed: PEM with BEGIN CERTIFICATE");
  if (blocks.length > CHAIN_MAX) return none(`has over ${CHAIN_MAX} certificates; allowed: one chain`);
  try {
    const links = blocks.map((block) => {
      const certificate = parse(block);
      return { certificate, facts: readFacts(certificate) };
    });
    const readable = links.filter((link): link is Link => link.facts !== undefined);
    if (readable.length === links.length) return { links: readable, faults: [] };
    return none("has extensions that can't be read; allowed: those of RFC 5280 in their standard form");
  } catch {
    return none("is damaged; allowed: PEM with BEGIN CERTIFICATE");
  }
}

function readKey(pem: string, parse: (pem: string) => KeyObject): KeyObject | undefined {
  try {
    return parse(pem);
  } catch {
    return undefined; // The text of the error says nothing that an operator could use.
  }
}

/** What speaks against the certificate that signs. */
function purposeFaults({ certificate, facts }: Link): AuthorityFault[] {
  const faults: AuthorityFault[] = [];
  const { publicKey, keyUsage: purposes } = certificate;
  // node:crypto calls extendedKeyUsage so.
  const isForServers =
    (purposes as readonly string[] | undefined)?.some(
      (purpose) => purpose === SERVER_AUTH || purpose === ANY_PURPOSE,
    ) ?? true;
  if (!facts.isAuthority)
    faults.push(aboutCertificate("is no authority; allowed: basicConstraints with CA:TRUE"));
  if (!facts.maySign) faults.push(aboutCertificate("may not sign; allowed: keyUsage with keyCertSign"));
  if (!isForServers) {
    faults.push(aboutCertificate("is not for servers; allowed: extendedKeyUsage with serverAuth, or none"));
  }
  if (!isKnownKey(publicKey)) {
    const allowed = `RSA with ${RSA_BITS_MIN} to ${RSA_BITS_MAX} bits, EC on P-256 or P-384`;
    faults.push(aboutCertificate(`has another kind of key; allowed: ${allowed}`));
  }
  return faults;
}

function isKnownKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === "ec") return CURVES.includes(asymmetricKeyDetails?.namedCurve);
  const bits = asymmetricKeyType === "rsa" ? (asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  return bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
}

/** Each certificate is issued by the next one, which allows as many below it as there are. */
function chainFaults(links: readonly Link[]): AuthorityFault[] {
  const faults: AuthorityFault[] = [];
  for (const [index, { certificate, facts }] of links.entries()) {
    const issuer = links[index + 1]?.certificate;
    if (issuer !== undefined && !(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))) {
      const message = `has certificates that are no chain: number ${index + 2} did not issue number ${index + 1}`;
      faults.push(aboutCertificate(`${message}; allowed: the authority's, its issuer's, and so on`));
    }
    if ((facts.pathLength ?? index) < index) {
      faults.push(aboutCertificate(`has a chain whose number ${index + 1} allows no authority so far below`));
    }
  }
  return faults;
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}

function aboutCertificate(message: string): AuthorityFault {
  return { about: "certificate", message };
}

function aboutKey(message: string): AuthorityFault {
  return { about: "private key", message };
}
