/**
 * Tokens whose signature holds, remembered: a pass that is sent with each request costs one HMAC in all.
 *
 * Only these are, since tokens that anybody can make would push them out. That a look-up takes its time by the text tells nothing: who
 * finds one has to have it. Not here: whether a pass still counts (debug-pass.ts); one that has expired goes like any other, the
 * oldest first, and is verified again if it comes again.
 */

import { detach } from "../core/text.ts";
import { type Pass, type PassSeal, TOKEN_LENGTH_MAX } from "./pass-token.ts";

export interface VerifiedTokens {
  /** As the seal does. Never throws. */
  read(token: string): Pass | "malformed" | "signature";
  /** Tokens that are remembered, up to 700 bytes each; never above the bound. */
  size(): number;
}

export function createVerifiedTokens(seal: Pick<PassSeal, "read">, tokensMax: number): VerifiedTokens {
  /** The oldest first. */
  const passes = new Map<string, Pass>();

  function remember(token: string, pass: Pass): void {
    if (passes.size >= tokensMax) {
      for (const oldest of passes.keys()) {
        passes.delete(oldest);
        break;
      }
    }
    passes.set(detach(token), pass);
  }

  return {
    read(token) {
      if (token.length > TOKEN_LENGTH_MAX) return "malformed"; // Before its hash is made.
      const known = passes.get(token);
      if (known !== undefined) return known;
      const pass = seal.read(token);
      if (typeof pass !== "string") remember(token, pass);
      return pass;
    },
    size: () => passes.size,
  };
}
