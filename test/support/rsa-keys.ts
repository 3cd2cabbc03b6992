/** RSA keys, made by `openssl genrsa` once and for all: finding the primes of one takes a third of a second. */

import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";

interface RsaPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** @param name of test/fixtures/rsa; `one` and `two` have 2048 bits, `short` has 1024 */
export function rsaPair(name: "one" | "two" | "short"): RsaPair {
  const privateKey = createPrivateKey(readFileSync(`test/fixtures/rsa/${name}.key`));
  return { publicKey: createPublicKey(privateKey), privateKey };
}
