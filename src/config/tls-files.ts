/**
 * The files of `inbound.tls`, read together: certificates with their keys, and the authorities of peers.
 *
 * Each is read once and what was checked is what is used, so that a renewal in between can't make a pair of two halves.
 * Not here: where in a config a bad file stands (files.ts), and watching (app-tls.ts).
 */

import type { X509Certificate } from "node:crypto";
import type { Finding } from "./fault.ts";
import { readCertificates, readPrivateKey } from "./files.ts";
import type { KeyPath } from "./key-path.ts";

/** A certificate's file and its key's. */
interface PairFiles {
  readonly certificateFile: string;
  readonly privateKeyFile: string;
}

/** `inbound.tls` of a Config. */
export interface TlsFiles extends PairFiles {
  readonly clientCaFile: string | undefined;
  readonly certificates: readonly PairFiles[];
}

/** A certificate and the key it was issued for. */
export interface TlsPair {
  readonly file: string;
  /** PEM. */
  readonly cert: Buffer;
  /** PEM. Secret. */
  readonly key: Buffer;
  /** Wall time in milliseconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Subject alternative names as node:crypto shows them, `DNS:a.example, …`; "" where there are none. */
  readonly names: string;
}

export interface TlsMaterial {
  /** The main one first. */
  readonly pairs: readonly [TlsPair, ...TlsPair[]];
  /** PEM. */
  readonly clientCa: Buffer | undefined;
}

/** Why the files can't be used as they stand: what is wrong with which. */
export interface TlsRefusal {
  readonly file: string;
  readonly reason: string;
}

/** Whether they are out of date is not looked at. Never throws. */
export function readTlsFiles(files: TlsFiles): TlsMaterial | TlsRefusal {
  const main = readPair(files);
  if ("reason" in main) return main;
  const pairs: [TlsPair, ...TlsPair[]] = [main];
  for (const further of files.certificates) {
    const pair = readPair(further);
    if ("reason" in pair) return pair;
    pairs.push(pair);
  }
  if (files.clientCaFile === undefined) return { pairs, clientCa: undefined };
  const authorities = readCertificates(files.clientCaFile);
  if ("refused" in authorities) return { file: files.clientCaFile, reason: authorities.refused };
  return { pairs, clientCa: authorities.value.pem };
}

function readPair({ certificateFile, privateKeyFile }: PairFiles): TlsPair | TlsRefusal {
  const certificates = readCertificates(certificateFile);
  if ("refused" in certificates) return { file: certificateFile, reason: certificates.refused };
  const key = readPrivateKey(privateKeyFile);
  if ("refused" in key) return { file: privateKeyFile, reason: key.refused };
  const [leaf] = certificates.value.certificates;
  if (leaf === undefined || !leaf.checkPrivateKey(key.value.key)) {
    return { file: privateKeyFile, reason: `is not the key of ${certificateFile}` };
  }
  return {
    file: certificateFile,
    cert: certificates.value.pem,
    key: key.value.pem,
    ...validityOf(leaf),
    names: leaf.subjectAltName ?? "",
  };
}

/** `Nov 22 17:10:00 2026 GMT`, as OpenSSL prints it, is a form that Date reads. */
function validityOf(leaf: X509Certificate): { readonly notBeforeMs: number; readonly notAfterMs: number } {
  return { notBeforeMs: Date.parse(leaf.validFrom), notAfterMs: Date.parse(leaf.validTo) };
}

/** Renewals by ACME come 30 days before the end, so one that is this late has failed a few times. */
const EXPIRES_SOON_MS = 7 * 24 * 3600 * 1000;

/** What is doubtful about a certificate's dates, in words; undefined: nothing. */
export function expiryDoubt(
  { notBeforeMs, notAfterMs }: Pick<TlsPair, "notBeforeMs" | "notAfterMs">,
  nowMs: number,
): string | undefined {
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, "2026-01-01".length);
  if (nowMs < notBeforeMs) return `is not valid before ${day(notBeforeMs)}`;
  if (nowMs > notAfterMs) return `expired on ${day(notAfterMs)}`;
  return nowMs > notAfterMs - EXPIRES_SOON_MS ? `expires on ${day(notAfterMs)}` : undefined;
}

/** Certificates that clients will not accept, or that are never chosen. @param nowMs undefined: dates are not looked at */
export function findCertificateWarnings(
  files: TlsFiles | undefined,
  direction: "inbound" | "outbound",
  nowMs: number | undefined,
): Finding[] {
  const read = files === undefined ? undefined : readTlsFiles(files);
  if (read === undefined || nowMs === undefined || "reason" in read) return [];
  return read.pairs.flatMap((pair, index): Finding[] => {
    const path: KeyPath = [
      direction,
      "tls",
      ...(index === 0 ? [] : ["certificates", index - 1]),
      "certificate",
    ];
    const doubt = expiryDoubt(pair, nowMs);
    if (doubt !== undefined) return [{ path, message: `names a certificate that ${doubt}` }];
    if (index === 0 || pair.names.includes("DNS:")) return [];
    return [
      {
        path,
        message: "names a certificate without a DNS name (subject alternative name): it is never taken",
      },
    ];
  });
}
