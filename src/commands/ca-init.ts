/**
 * `ca init`: makes the authority that `outbound.intercept` signs with, and says what to do with it.
 *
 * Two files, never over another one: an authority that somebody trusts already would be lost. The key is written
 * for its owner alone and printed nowhere. Not here: what is in the certificate (authority/authority-certificate.ts).
 */

import { closeSync, fchmodSync, mkdirSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type AuthorityOrder,
  checkAuthorityOrder,
  createAuthorityCertificate,
} from "../authority/authority-certificate.ts";
import { describePermitted, parsePermitted } from "../authority/constraints.ts";
import { createSystemClock } from "../core/clock.ts";
import { EXIT, type ExitStatus, type Output } from "./output.ts";

/** As they stand on the command line. */
interface CaInitWords {
  readonly out: string | undefined;
  readonly permit: readonly string[];
  readonly name: string | undefined;
  readonly days: string | undefined;
}

/** An order that can be carried out. */
export interface CaInitOptions {
  /** Absolute. */
  readonly directory: string;
  readonly order: AuthorityOrder;
}

const NAME = "fedtrace interception CA";
/** What Apple's systems take from an authority that somebody added by hand, and about what people remember. */
const DAYS = "825";
const CERTIFICATE_MODE = 0o644;
const KEY_MODE = 0o600;

/** @returns every word that can't be read, and what is allowed */
export function parseCaInit(
  words: CaInitWords,
): { readonly value: CaInitOptions } | { readonly refused: readonly string[] } {
  const days = words.days ?? DAYS;
  const order: AuthorityOrder = {
    commonName: words.name ?? NAME,
    permitted: words.permit,
    days: /^\d+$/.test(days) ? Number(days) : Number.NaN,
    clock: createSystemClock(),
  };
  const refused = checkAuthorityOrder(order).map(({ part, message }) => `--${OPTION_OF[part]} ${message}`);
  if (words.out === "") refused.push("--out is the path of a directory");
  return refused.length > 0 ? { refused } : { value: { directory: resolve(words.out ?? "."), order } };
}

const OPTION_OF = { commonName: "name", days: "days", permitted: "permit" } as const;

/** Both files or none. What is wrong with the order is told by parseCaInit. */
export async function caInitCommand(options: CaInitOptions, output: Output): Promise<ExitStatus> {
  const made = await createAuthorityCertificate(options.order);
  if ("refused" in made) {
    for (const { message } of made.refused) output.errorLine(`ca init: ${message}`);
    return EXIT.BAD_CONFIG;
  }
  const certificatePath = join(options.directory, "ca.pem");
  const keyPath = join(options.directory, "ca.key");
  try {
    mkdirSync(options.directory, { recursive: true });
    writeBoth(
      { path: keyPath, text: made.value.privateKeyPem, mode: KEY_MODE },
      { path: certificatePath, text: made.value.certificatePem, mode: CERTIFICATE_MODE },
    );
  } catch (error) {
    output.errorLine(`ca init: nothing was made: ${wordsFor(error)}`);
    return EXIT.CANNOT_START;
  }
  for (const line of await report(options, made.value.certificatePem, { certificatePath, keyPath })) {
    output.line(line);
  }
  return EXIT.OK;
}

interface NewFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** @throws what the system says; no file is left then that was not there before */
function writeBoth(...files: readonly NewFile[]): void {
  const made: string[] = [];
  try {
    for (const { path, text, mode } of files) {
      const file = openSync(path, "wx", mode);
      made.push(path);
      try {
        fchmodSync(file, mode); // Whatever the umask: who trusts the certificate has to read it.
        writeFileSync(file, text);
      } finally {
        closeSync(file);
      }
    }
  } catch (error) {
    for (const path of made) unlinkSync(path);
    throw error;
  }
}

function wordsFor(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === "EEXIST" && "path" in error) {
    return `${String(error.path)} exists; move it away if nobody trusts it any more`;
  }
  return error instanceof Error ? error.message : String(error);
}

async function report(
  { order }: CaInitOptions,
  certificatePem: string,
  { certificatePath, keyPath }: { readonly certificatePath: string; readonly keyPath: string },
): Promise<readonly string[]> {
  const { X509Certificate } = await import("node:crypto");
  const certificate = new X509Certificate(certificatePem);
  const constraints = order.permitted.length === 0 ? undefined : parsePermitted(order.permitted);
  const limits =
    constraints !== undefined && "value" in constraints ? describePermitted(constraints.value) : [];
  return [
    `${certificatePath}: the certificate of "${order.commonName}", valid until ${certificate.validTo}`,
    `${keyPath}: its key; who has it can pose as ${limits.length === 0 ? "any server" : "these servers"} to whoever trusts the certificate`,
    `SHA-256 fingerprint: ${certificate.fingerprint256}`,
    limits.length === 0
      ? "limited to: nothing; make another one with --permit NAME to limit it"
      : `limited to: ${limits.join(", ")}`,
    "",
    "In the config of fedtrace:",
    "",
    "outbound:",
    "  intercept:",
    `    ca_certificate: ${quoted(certificatePath)}`,
    `    ca_private_key: ${quoted(keyPath)}`,
    "",
    "In Synapse's homeserver.yaml, if every tunnel is looked into: this list replaces the system's authorities.",
    "",
    "federation_custom_ca_list:",
    `  - ${quoted(certificatePath)}`,
    "",
    "Otherwise start Synapse with SSL_CERT_FILE naming a file that has the system's authorities and this one:",
    "",
    `cat /etc/ssl/certs/ca-certificates.crt ${shellQuoted(certificatePath)} > all-authorities.pem`,
  ];
}

/** YAML. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "''")}'`;
}

function shellQuoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
