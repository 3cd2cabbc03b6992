/**
 * Values for the `{…}` of a path, in the form that Synapse writes them: percent-encoded, as long as captured ones.
 * Source: https://spec.matrix.org/v1.16/appendices/#identifier-grammar.
 */

import type { Random } from "../core/random.ts";

/** So many users of each server ask and are asked for. */
const USERS = 50;
/** Of captured media ids, which are letters. */
const MEDIA_ID_LENGTH = 24;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Synapse counts transactions from the time at its start, in milliseconds. */
const TXN_ID_LEAST = 1_795_355_000_000;
const TXN_ID_SPAN = 100_000_000;

/** Name → value. @param server whose users and aliases are named */
const FILLERS: Readonly<Record<string, (random: Random, server: string) => string>> = {
  roomId: (random) => `%21${hashOf(random)}`,
  eventId: (random) => `%24${hashOf(random)}`,
  userId: (random, server) => `%40user${below(random, USERS)}%3A${encodeURIComponent(server)}`,
  roomAlias: (random, server) => `%23lobby${below(random, USERS)}%3A${encodeURIComponent(server)}`,
  txnId: (random) => String(TXN_ID_LEAST + below(random, TXN_ID_SPAN)),
  mediaId: (random) =>
    Array.from({ length: MEDIA_ID_LENGTH }, () => LETTERS.charAt(below(random, LETTERS.length))).join(""),
};

/** @returns the path with each `{name}` replaced; names that are none stay as they are */
export function fillPath(path: string, random: Random, server: string): string {
  return path.replaceAll(/\{(\w+)\}/g, (whole, name: string) => FILLERS[name]?.(random, server) ?? whole);
}

/** 256 bits in unpadded base64url, as rooms and events of newer room versions are named: the hash of an event. */
function hashOf(random: Random): string {
  return Buffer.from(random.traceId() + random.traceId(), "hex").toString("base64url");
}

function below(random: Random, limit: number): number {
  return Math.floor(random.fraction() * limit);
}
