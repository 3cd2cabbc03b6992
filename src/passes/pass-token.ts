/**
 * A debug pass as text: what it says, and that this server said so.
 *
 * ```
 *   v1.<payload>.<signature>
 *   payload    base64url of: id expiry count peer audience        ASCII, one space between
 *   signature  base64url of: HMAC-SHA-256(secret, "fedtrace debug pass v1" NUL "v1." payload), 43 characters
 * ```
 * What is signed is the text as it is sent, and signatures are compared as texts: base64url has four spellings of most last
 * characters, and only one of them is taken. Nothing of a payload is looked at before its signature holds.
 *
 * The secret is the key as it stands: HMAC takes keys of any length (RFC 2104 section 3), this is its only use, and the words in
 * front keep it so should there be another. A slow derivation would not save a secret that can be guessed; the config asks
 * for 16 characters and the docs for `openssl rand -hex 32`. Not here: how often a pass was used (debug-pass.ts).
 */

import type { Hmac } from "node:crypto";

/** What a pass may be for; the least and the most. */
export const PASS_BOUNDS = { ttlMs: [1000, 86_400_000], count: [1, 10_000] } as const;

/** Two names of 150 characters, and far below what a head may have. */
export const TOKEN_LENGTH_MAX = 512;

const PURPOSE = "fedtrace debug pass v1\0";
const VERSION = "v1.";
/** 512 characters at most, as TOKEN_LENGTH_MAX says. */
const TOKEN = /^v1\.[\w-]{1,465}\.[\w-]{43}$/;
const SIGNATURE_LENGTH = 43;
const PAYLOAD = /^([0-9a-f]{16}) (\d{1,12}) (\d{1,5}) ([\x21-\x7e]+) ([\x21-\x7e]+)$/;

export interface Pass {
  /** 16 hex digits, random: what its uses are counted by. */
  readonly id: string;
  /** From then on it is none. A whole second. */
  readonly expiresUnixMs: number;
  /** Traces that it lets in. */
  readonly count: number;
  /** Who may use it: a server name in lower case, with its port where the peer's name has one. */
  readonly peer: string;
  /** Where: the `server_name` that gave it. */
  readonly audience: string;
}

export interface PassSeal {
  /** @returns undefined where the token would be too long: the two names together have more than about 300 characters */
  write(pass: Pass): string | undefined;
  /** Costs some four microseconds where the form is right. Never throws. */
  read(token: string): Pass | "malformed" | "signature";
}

/** @param secret 16 characters at least, as the config has it */
export async function createPassSeal(secret: string): Promise<PassSeal> {
  // Costs its share of the start-up time, so only those pay who have a secret.
  const { createHmac, timingSafeEqual } = await import("node:crypto");

  function sign(signed: string): string {
    const hmac: Hmac = createHmac("sha256", secret);
    return hmac.update(PURPOSE, "latin1").update(signed, "latin1").digest("base64url");
  }

  function isSigned(signed: string, signature: string): boolean {
    return timingSafeEqual(Buffer.from(sign(signed), "latin1"), Buffer.from(signature, "latin1"));
  }

  return {
    write({ id, expiresUnixMs, count, peer, audience }) {
      const payload = `${id} ${expiresUnixMs / 1000} ${count} ${peer} ${audience}`;
      const signed = VERSION + Buffer.from(payload, "latin1").toString("base64url");
      const token = `${signed}.${sign(signed)}`;
      return token.length > TOKEN_LENGTH_MAX ? undefined : token;
    },
    read(token) {
      if (!TOKEN.test(token)) return "malformed";
      const signed = token.slice(0, -SIGNATURE_LENGTH - 1);
      if (!isSigned(signed, token.slice(-SIGNATURE_LENGTH))) return "signature";
      return readPayload(signed.slice(VERSION.length)) ?? "malformed";
    },
  };
}

/** Signed, so only another version of this program can have written what is not read here. */
function readPayload(payload: string): Pass | undefined {
  const fields = PAYLOAD.exec(Buffer.from(payload, "base64url").toString("latin1"));
  const [, id, expiry, count, peer, audience] = fields ?? [];
  if (id === undefined || peer === undefined || audience === undefined) return undefined;
  return { id, expiresUnixMs: Number(expiry) * 1000, count: Number(count), peer, audience };
}
