/**
 * The certificate authorities that remote servers are verified by: the system's, and `outbound.ca_file`.
 *
 * Node brings Mozilla's list along and reads no other unless told; what an operator has installed on the machine counts for
 * every other program, so it counts here. Where distributions keep theirs is Go's list (crypto/x509/root_linux.go), in its
 * order; SSL_CERT_FILE goes first, as with OpenSSL.
 */

import { readBounded } from "./files.ts";

const SYSTEM_FILES: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Alpine
  "/etc/pki/tls/certs/ca-bundle.crt", // Fedora, RHEL 6
  "/etc/ssl/ca-bundle.pem", // openSUSE
  "/etc/pki/tls/cacert.pem", // OpenELEC
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL 7
  "/etc/ssl/cert.pem", // Alpine, macOS
];

/** A system's bundle has some 220 KB. */
const ROOTS_BYTES_MAX = 4 * 1024 ** 2;

/**
 * PEM texts. Files that can't be read are passed over here: load.ts has checked what the operator names.
 *
 * @param systemFile SSL_CERT_FILE
 * @param bundled Node's own list, for a machine without any
 */
export function readRoots(
  systemFile: string | undefined,
  caFile: string | undefined,
  bundled: readonly string[],
): readonly string[] {
  const system = firstReadable(systemFile === undefined ? SYSTEM_FILES : [systemFile]);
  const own = caFile === undefined ? undefined : firstReadable([caFile]);
  return [...(system === undefined ? bundled : [system]), ...(own === undefined ? [] : [own])];
}

function firstReadable(files: readonly string[]): string | undefined {
  for (const file of files) {
    const read = readBounded(file, ROOTS_BYTES_MAX);
    if ("value" in read && read.value.includes("BEGIN CERTIFICATE")) return read.value.toString("latin1");
  }
  return undefined;
}
