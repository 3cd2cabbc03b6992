/**
 * The files and modules that a config names: their paths, and whether they are there and hold what they should.
 *
 * A relative path counts from the directory of the config file, so that it means the same wherever the program
 * is started. A file is read once here to fail early and with a position; whoever uses it reads it again. A module is
 * looked for and not loaded.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import type { Finding, Parsed } from "./fault.ts";
import { findValues, formatKeyPath, type Found } from "./key-path.ts";
import { resolveModule } from "./module-path.ts";

type Content = "certificates" | "private key";

/** Every option that is a path, and what must be in it; undefined: it is not looked into here. */
const FILES: readonly { readonly key: string; readonly content: Content | undefined }[] = [
  { key: "inbound.tls.certificate", content: "certificates" },
  { key: "inbound.tls.private_key", content: "private key" },
  { key: "inbound.tls.client_ca", content: "certificates" },
  { key: "inbound.tls.certificates[].certificate", content: "certificates" },
  { key: "inbound.tls.certificates[].private_key", content: "private key" },
  { key: "inbound.keys.ca_file", content: "certificates" },
  { key: "outbound.tls.certificate", content: "certificates" },
  { key: "outbound.tls.private_key", content: "private key" },
  { key: "outbound.ca_file", content: "certificates" },
  { key: "outbound.intercept.ca_certificate", content: "certificates" },
  { key: "outbound.intercept.ca_private_key", content: "private key" },
  { key: "export[].otlp.certificate", content: "certificates" },
  { key: "export[].file.path", content: undefined }, // It is written.
  { key: "sampling.remote.file", content: undefined }, // strategies/strategy-file.ts reads it.
  { key: "sampling.remote.cache_file", content: undefined }, // It is written.
  { key: "usage_report.ca_file", content: "certificates" },
  { key: "usage_report.state_file", content: undefined }, // It is written.
  { key: "whitelist_file", content: undefined }, // whitelist-file.ts reads it.
];

/** Every option that is the name of a module. */
const MODULES: readonly string[] = ["export[].module", "export[].module.name"];

/** A private key and the certificate it must belong to. */
const PAIRS: readonly { readonly certificate: string; readonly key: string }[] = [
  { certificate: "inbound.tls.certificate", key: "inbound.tls.private_key" },
  {
    certificate: "inbound.tls.certificates[].certificate",
    key: "inbound.tls.certificates[].private_key",
  },
  { certificate: "outbound.tls.certificate", key: "outbound.tls.private_key" },
  { certificate: "outbound.intercept.ca_certificate", key: "outbound.intercept.ca_private_key" },
];

/** The system's bundle of all roots has a quarter of it. */
const PEM_BYTES_MAX = 1024 ** 2;
/** A thousand whitelist entries have a tenth of it. YAML takes up to 12 s for the worst text of this size. */
const CONFIG_BYTES_MAX = 1024 ** 2;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const ERROR_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EACCES: "this user may not read it",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of its path is not a directory",
};

/** Makes every relative path of the document absolute, in place, and every name of a module that can be found its path. */
export function resolveFiles(document: unknown, directory: string): void {
  for (const { key } of FILES) {
    for (const { value, replace } of textsAt(document, key)) replace(resolve(directory, value));
  }
  for (const { value, replace } of MODULES.flatMap((key) => textsAt(document, key))) {
    const path = resolveModule(value, directory);
    if (path !== undefined) replace(path);
  }
}

/** What is wrong with the files and modules of a document whose paths are absolute. Each file is read once. */
export function checkFiles(document: unknown): Finding[] {
  const findings = checkModules(document);
  /** By the path as a fault prints it. */
  const certificates = new Map<string, readonly X509Certificate[]>();
  const keys = new Map<string, KeyObject>();
  for (const { key, content } of FILES) {
    if (content === undefined) continue;
    for (const { path, value } of textsAt(document, key)) {
      if (content === "private key") {
        const read = readPrivateKey(value);
        if ("refused" in read) findings.push({ path, message: read.refused });
        else keys.set(formatKeyPath(path), read.value.key);
      } else {
        const read = readCertificates(value);
        if ("refused" in read) findings.push({ path, message: read.refused });
        else certificates.set(formatKeyPath(path), read.value.certificates);
      }
    }
  }
  for (const pair of PAIRS) {
    for (const { path } of textsAt(document, pair.key)) {
      const certificate = formatKeyPath([...path.slice(0, -1), lastStep(pair.certificate)]);
      const own = keys.get(formatKeyPath(path));
      const [leaf] = certificates.get(certificate) ?? [];
      if (own === undefined || leaf === undefined || leaf.checkPrivateKey(own)) continue;
      const message = `is not the key of ${certificate}; allowed: the key it was issued for`;
      findings.push({ path, message });
    }
  }
  return findings;
}

/** A file that is replaced again and again must not be one that is read, or that something else is written to. @param configPath of the document */
export function checkWritten(document: unknown, configPath: string): Finding[] {
  const named = FILES.flatMap(({ key }) =>
    textsAt(document, key).map(({ path, value }) => ({ name: formatKeyPath(path), value, path })),
  );
  const taken = [{ name: "this config", value: resolve(configPath) }, ...named];
  return named
    .filter(({ name }) => REPLACED.has(name))
    .flatMap(({ name, path, value }) => {
      const other = taken.find((each) => each.value === value && each.name !== name);
      if (other === undefined) return [];
      return [
        { path, message: `names the file of ${other.name}; allowed: a file of its own, which is replaced` },
      ];
    });
}

/** By their keys. */
const REPLACED: ReadonlySet<string> = new Set(["sampling.remote.cache_file", "usage_report.state_file"]);

function lastStep(pattern: string): string {
  return pattern.slice(pattern.lastIndexOf(".") + 1);
}

function checkModules(document: unknown): Finding[] {
  return MODULES.flatMap((key) => textsAt(document, key))
    .filter(({ value }) => !isAbsolute(value) || resolveModule(value, "/") === undefined)
    .map(({ path }) => ({
      path,
      message:
        "names a module that can't be found; allowed: a package that is installed beside the config file or the program, or a path such as ./exporter.mjs",
    }));
}

function textsAt(document: unknown, key: string): readonly (Found & { readonly value: string })[] {
  return findValues(document, key).filter(
    (found): found is Found & { readonly value: string } =>
      typeof found.value === "string" && found.value !== "",
  );
}

/** Certificates of a PEM file in its order, at least one, and the file as it was read. */
export function readCertificates(
  path: string,
): Parsed<{ readonly pem: Buffer; readonly certificates: readonly X509Certificate[] }> {
  const allowed = "allowed: a PEM file with BEGIN CERTIFICATE";
  const file = readBounded(path, PEM_BYTES_MAX);
  if ("refused" in file) return { refused: `${file.refused}; ${allowed}` };
  const blocks = file.value.toString("latin1").match(CERTIFICATE) ?? [];
  if (blocks.length === 0) return { refused: `names a file without a certificate; ${allowed}` };
  try {
    return { value: { pem: file.value, certificates: blocks.map((block) => new X509Certificate(block)) } };
  } catch {
    return { refused: `names a file with a damaged certificate; ${allowed}` };
  }
}

/** The private key of a PEM file, and the file as it was read. */
export function readPrivateKey(path: string): Parsed<{ readonly pem: Buffer; readonly key: KeyObject }> {
  const allowed = "allowed: a PEM file with BEGIN PRIVATE KEY, without a passphrase";
  const file = readBounded(path, PEM_BYTES_MAX);
  if ("refused" in file) return { refused: `${file.refused}; ${allowed}` };
  const pem = file.value.toString("latin1");
  if (/BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(pem))
    return { refused: `names a file with a passphrase; ${allowed}` };
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem))
    return { refused: `names a file without a private key; ${allowed}` };
  try {
    return { value: { pem: file.value, key: createPrivateKey(pem) } };
  } catch {
    return { refused: `names a file with a damaged private key; ${allowed}` };
  }
}

/** Read at once; a config fits into it. */
const CHUNK_BYTES = 64 * 1024;

/**
 * All of a file, or in words why not. A pipe or a device may be read too: its size is only known afterwards, so no more
 * than one byte over the bound is asked of it.
 */
export function readBounded(path: string, bytesMax: number): Parsed<Buffer> {
  try {
    const content = readAtMost(path, bytesMax + 1);
    return content.length > bytesMax
      ? { refused: `names a file of over ${bytesMax} bytes` }
      : { value: content };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    return {
      refused: `names a file that cannot be read (${ERROR_WORDS[code] ?? (code || "unknown reason")})`,
    };
  }
}

/** @throws what the system says */
function readAtMost(path: string, bytesMax: number): Buffer {
  const file = openSync(path, "r");
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    while (length < bytesMax) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, bytesMax - length));
      const count = readSync(file, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      length += count;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(file);
  }
}

/** The text of a config, ours or a Synapse's; or in words why there is none. */
export function readConfigText(path: string): Parsed<string> {
  const file = readBounded(path, CONFIG_BYTES_MAX);
  if ("refused" in file) return file;
  try {
    return { value: new TextDecoder("utf-8", { fatal: true }).decode(file.value) };
  } catch {
    return { refused: "is not UTF-8" };
  }
}
