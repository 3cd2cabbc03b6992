/**
 * What of an authority's certificate decides over the certificates it can issue; node:crypto shows most of a certificate,
 * and this the rest: constraints of names and of the chain's length, keyUsage, and the name as it stands.
 *
 * Source: RFC 5280, section 4.2. One of the two files that know the library for ASN.1; both are loaded with the first
 * authority, so that nobody pays for them who has none. Not here: what is made of it (authority.ts).
 */

import type { X509Certificate } from "node:crypto";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  BasicConstraints,
  Certificate,
  type GeneralSubtree,
  id_ce_basicConstraints,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectKeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  type Name,
  NameConstraints as NameConstraintsExtension,
  SubjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import { type AddressRange, parseRange } from "./addresses.ts";
import type { NameConstraints } from "./constraints.ts";

/** Of one certificate of the chain. */
export interface AuthorityFacts {
  readonly subject: Name;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  /** By basicConstraints. node:crypto's `ca` is false for a keyUsage without keyCertSign too. */
  readonly isAuthority: boolean;
  /** False only where a keyUsage says so. */
  readonly maySign: boolean;
  /** Certificates that may stand between this one and the server's; undefined: any number. */
  readonly pathLength: number | undefined;
  readonly constraints: NameConstraints | undefined;
  readonly keyIdentifier: Uint8Array | undefined;
}

/** @returns undefined where something in it can't be read: it would be wrong to guess at constraints */
export function readAuthorityFacts(certificate: X509Certificate): AuthorityFacts | undefined {
  try {
    const { tbsCertificate } = AsnConvert.parse(certificate.raw, Certificate);
    const extensions = new Map(
      tbsCertificate.extensions?.map(({ extnID, extnValue }) => [extnID, extnValue.buffer]),
    );
    const usage = extensions.get(id_ce_keyUsage);
    const basicDer = extensions.get(id_ce_basicConstraints);
    const basic = basicDer === undefined ? undefined : AsnConvert.parse(basicDer, BasicConstraints);
    const constraints = extensions.get(id_ce_nameConstraints);
    const identifier = extensions.get(id_ce_subjectKeyIdentifier);
    return {
      subject: tbsCertificate.subject,
      notBeforeUnixMs: tbsCertificate.validity.notBefore.getTime().getTime(),
      notAfterUnixMs: tbsCertificate.validity.notAfter.getTime().getTime(),
      isAuthority: basic?.cA ?? false,
      maySign:
        usage === undefined ||
        (AsnConvert.parse(usage, KeyUsage).toNumber() & KeyUsageFlags.keyCertSign) !== 0,
      pathLength: basic?.pathLenConstraint,
      constraints: constraints === undefined ? undefined : readConstraints(constraints),
      keyIdentifier:
        identifier === undefined
          ? undefined
          : new Uint8Array(AsnConvert.parse(identifier, SubjectKeyIdentifier).buffer),
    };
  } catch {
    return undefined;
  }
}

/** @throws where they are not what is read here, to the byte */
function readConstraints(der: ArrayBuffer): NameConstraints {
  const read = AsnConvert.parse(der, NameConstraintsExtension);
  // The library shows a mask as the number of its ones. One with gaps would come back as another one.
  if (!Buffer.from(AsnConvert.serialize(read)).equals(Buffer.from(der))) {
    throw new Error("name constraints of an unknown form");
  }
  return {
    permitted: readSubtrees(read.permittedSubtrees ?? []),
    excluded: readSubtrees(read.excludedSubtrees ?? []),
  };
}

/** Names of other kinds are passed over: a server's certificate has none. */
function readSubtrees(subtrees: readonly GeneralSubtree[]): NameConstraints["permitted"] {
  const dns: string[] = [];
  const ranges: AddressRange[] = [];
  for (const { base, minimum, maximum } of subtrees) {
    // RFC 5280 has no other values, and OpenSSL refuses every certificate below such a constraint.
    if (minimum !== 0 || maximum !== undefined) throw new Error("a subtree with a distance");
    if (base.dNSName !== undefined) dns.push(base.dNSName.toLowerCase());
    if (base.iPAddress !== undefined) ranges.push(rangeOf(base.iPAddress));
  }
  return { dns, ranges };
}

/** @throws for anything but a network: a bare address has no place in constraints */
function rangeOf(text: string): AddressRange {
  const range = text.includes("/") ? parseRange(text) : undefined;
  if (range === undefined) throw new Error("an address constraint without a mask");
  return range;
}
