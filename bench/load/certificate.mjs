/** A certificate for the TLS rungs, made anew in each run: P-256, which is what most servers use now. Needs openssl. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const NAME = "hs2.test";

/**
 * @param {string} folder
 * @returns {{ certificate: string, key: string, both: string, name: string, ca: string } | undefined} paths, the name it is for,
 *   and its own text, which the client trusts; undefined where there is no openssl
 */
export function makeCertificate(folder) {
  const [certificate, key, both] = ["cert.pem", "key.pem", "both.pem"].map((name) => join(folder, name));
  const request = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "1",
  ];
  const names = ["-subj", `/CN=${NAME}`, "-addext", `subjectAltName=DNS:${NAME}`];
  try {
    execFileSync("openssl", [...request, "-keyout", key, "-out", certificate, ...names], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  const ca = readFileSync(certificate, "latin1");
  writeFileSync(both, ca + readFileSync(key, "latin1"));
  return { certificate, key, both, name: NAME, ca };
}
