/**
 * Certificates, from their parts to PEM: those of servers ("leafs") and the authority's own.
 *
 * Source: RFC 5280, section 4. The library for ASN.1 knows how things are written, node:crypto signs; a library that
 * does both takes three times as long. Not here: for how long, and for which names (authority.ts, authority-certificate.ts).
 */

import { createHash, type KeyObject, sign } from "node:crypto";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  NameConstraints as NameConstraintsExtension,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import type { NameConstraints } from "./constraints.ts";
import type { LeafName } from "./leaf-name.ts";

/** Who signs. */
interface Issuer {
  readonly subject: Name;
  /** RSA, or EC on P-256 or P-384. */
  readonly key: KeyObject;
}

/** What differs from leaf to leaf. */
export interface LeafParts {
  readonly name: LeafName;
  /** Big-endian, positive, without a zero at its beginning: 1 to 20 bytes. */
  readonly serial: Uint8Array;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** What an authority's certificate says. */
export interface AuthorityParts {
  readonly commonName: string;
  readonly constraints: NameConstraints | undefined;
  readonly serial: Uint8Array;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

interface Parts {
  readonly serial: Uint8Array;
  readonly subject: Name;
  readonly publicKey: SubjectPublicKeyInfo;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  readonly extensions: readonly Extension[];
}

const COMMON_NAME = "2.5.4.3";
const ECDSA_SHA256 = "1.2.840.10045.4.3.2";
const ECDSA_SHA384 = "1.2.840.10045.4.3.3";
const RSA_SHA256 = "1.2.840.113549.1.1.11";

/**
 * What all leafs of one issuer and one key share is encoded once.
 *
 * @param issuerKeyIdentifier as it stands in the issuer's certificate
 * @param leafKey public
 * @returns a function that writes one leaf as PEM
 */
export function createLeafWriter(
  issuer: Issuer,
  issuerKeyIdentifier: Uint8Array,
  leafKey: KeyObject,
): (parts: LeafParts) => Promise<string> {
  const publicKey = publicKeyInfo(leafKey);
  const shared = [
    extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true),
    extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
    extension(
      id_ce_authorityKeyIdentifier,
      new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(issuerKeyIdentifier) }),
    ),
    extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifierOf(leafKey))),
  ];
  return async ({ name, ...parts }) => {
    const general = new GeneralName(name.kind === "dns" ? { dNSName: name.text } : { iPAddress: name.text });
    // Critical, since there is no subject (RFC 5280, section 4.2.1.6): no client reads a host name there any more, and one
    // that is there is checked against name constraints too.
    const alternative = extension(id_ce_subjectAltName, new SubjectAlternativeName([general]), true);
    return signCertificate(issuer, {
      ...parts,
      publicKey,
      subject: new Name([]),
      extensions: [...shared, alternative],
    });
  };
}

/** A self-signed certificate of an authority that issues for servers only, and to no other authority. */
export async function writeAuthority(
  { commonName, constraints, ...parts }: AuthorityParts,
  pair: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
): Promise<string> {
  const subject = new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({
        type: COMMON_NAME,
        value: new AttributeValue({ utf8String: commonName }),
      }),
    ]),
  ]);
  const usage = new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign);
  const extensions = [
    extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
    extension(id_ce_keyUsage, usage, true),
    extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
    extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifierOf(pair.publicKey))),
    ...(constraints === undefined ? [] : [constraintsExtension(constraints)]),
  ];
  const issuer = { subject, key: pair.privateKey };
  return signCertificate(issuer, {
    ...parts,
    subject,
    publicKey: publicKeyInfo(pair.publicKey),
    extensions,
  });
}

/** Critical (RFC 5280, section 4.2.1.10): who does not know them must not trust the certificate. */
function constraintsExtension({ permitted, excluded }: NameConstraints): Extension {
  const permittedSubtrees = subtrees(permitted);
  const excludedSubtrees = subtrees(excluded);
  const constraints = new NameConstraintsExtension({
    ...(permittedSubtrees.length > 0 && { permittedSubtrees }),
    ...(excludedSubtrees.length > 0 && { excludedSubtrees }),
  });
  return extension(id_ce_nameConstraints, constraints, true);
}

function subtrees({ dns, ranges }: NameConstraints["permitted"]): GeneralSubtrees {
  return new GeneralSubtrees([
    ...dns.map((dNSName) => new GeneralSubtree({ base: new GeneralName({ dNSName }) })),
    ...ranges.map(({ text }) => new GeneralSubtree({ base: new GeneralName({ iPAddress: text }) })),
  ]);
}

/** RFC 7093, section 2, method 1; for an issuer whose certificate has none too, who is then not compared. */
export function keyIdentifierOf(publicKey: KeyObject): Uint8Array {
  const { subjectPublicKey } = publicKeyInfo(publicKey);
  return createHash("sha256").update(new Uint8Array(subjectPublicKey)).digest().subarray(0, 20);
}

function publicKeyInfo(publicKey: KeyObject): SubjectPublicKeyInfo {
  return AsnConvert.parse(publicKey.export({ type: "spki", format: "der" }), SubjectPublicKeyInfo);
}

function extension(extnID: string, value: object, critical = false): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

async function signCertificate({ subject: issuer, key }: Issuer, parts: Parts): Promise<string> {
  const { hash, algorithm } = signatureOf(key);
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: new Uint8Array(parts.serial).buffer,
    signature: algorithm,
    issuer,
    validity: new Validity({
      notBefore: new Date(parts.notBeforeUnixMs),
      notAfter: new Date(parts.notAfterUnixMs),
    }),
    subject: parts.subject,
    subjectPublicKeyInfo: parts.publicKey,
    extensions: new Extensions([...parts.extensions]),
  });
  const tbsCertificateRaw = AsnConvert.serialize(tbsCertificate);
  const signature = await signInPool(hash, new Uint8Array(tbsCertificateRaw), key);
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm,
    signatureValue: new Uint8Array(signature).buffer,
  });
  certificate.tbsCertificateRaw = tbsCertificateRaw; // Not encoded a second time.
  return toPem(AsnConvert.serialize(certificate));
}

/** RFC 5758, section 3.2, and RFC 4055, section 5, where RSA's parameters are NULL and not absent. */
function signatureOf(key: KeyObject): { hash: string; algorithm: AlgorithmIdentifier } {
  if (key.asymmetricKeyType === "rsa") {
    return {
      hash: "sha256",
      algorithm: new AlgorithmIdentifier({ algorithm: RSA_SHA256, parameters: null }),
    };
  }
  return key.asymmetricKeyDetails?.namedCurve === "secp384r1"
    ? { hash: "sha384", algorithm: new AlgorithmIdentifier({ algorithm: ECDSA_SHA384 }) }
    : { hash: "sha256", algorithm: new AlgorithmIdentifier({ algorithm: ECDSA_SHA256 }) };
}

/** In a thread of its own: RSA with 4096 bits takes milliseconds, in which traffic goes on. */
function signInPool(hash: string, bytes: Uint8Array, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(hash, bytes, key, (error, signature) => {
      if (error === null) resolve(signature);
      else reject(error);
    });
  });
}

function toPem(der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
