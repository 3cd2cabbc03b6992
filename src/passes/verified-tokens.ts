/**
 * Tokens whose signature holds, remembered: a pass that is sent with each request costs one HMAC in all.
 *
 * Only these are, since tokens that anybody can make would push them out. That a look-up takes its time by the text tells nothing: who
 * finds one has to have it. Not here: whether a pass still counts (debug-pass.ts); one that has expired goes like any other
 * that is not in use, and is verified again if it comes again.
 */

import { createBoundedCache } from "../core/bounded-cache.ts";
import { detach } from "../core/text.ts";
import { type Pass, type PassSeal, TOKEN_LENGTH_MAX } from "./pass-token.ts";

export interface VerifiedTokens {
  /** As the seal does. Never throws. */
  read(token: string): Pass | "malformed" | "signature";
  /** Tokens that are remembered, up to 700 bytes each; never above the bound. */
  size(): number;
}

export function createVerifiedTokens(seal: Pick<PassSeal, "read">, tokensMax: number): VerifiedTokens {
  const passes = createBoundedCache<Pass>(tokensMax);
  return {
    read(token) {
      if (token.length > TOKEN_LENGTH_MAX) return "malformed"; // Before its hash is made.
      const known = passes.get(token);
      if (known !== undefined) return known;
      const pass = seal.read(token);
      if (typeof pass !== "string") passes.set(detach(token), pass);
      return pass;
    },
    size: () => passes.counters().size,
  };
}
