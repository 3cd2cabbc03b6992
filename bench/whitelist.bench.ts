/**
 * Question: what does a verdict cost, for a name that is asked about all the time and for a new one, and what does
 *           it cost to name the caller?
 * Decision it feeds: a hot verdict above 0.2 µs, or an X-Matrix origin above 1 µs, is too much for the hot path;
 *           a cold one above 10 µs on 50 patterns would let a flood of made-up names slow the proxy down.
 * Input:    50 patterns of three usual kinds; 1,000 names asked again and again; 40,000 names in turn, of which the
 *           cache holds 10,000, so that every one is a miss; one captured X-Matrix line.
 * Run:      npx vitest bench --run bench/whitelist.bench.ts   (alone on the machine, 5 times; a round is 1,000 calls)
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { bench, describe } from "vitest";
import { createIdentify } from "../src/peer/identify.ts";
import { createNetworks } from "../src/peer/networks.ts";
import { createWhitelist, type WhitelistEntry } from "../src/peer/whitelist.ts";
import { parseXMatrixOrigin } from "../src/peer/x-matrix.ts";

const ROUND = 1000;
const COLD_NAMES = 40_000;

function usualPattern(index: number): WhitelistEntry {
  const settings = { sampling: "accept", forcedPerSecond: 1 } as const;
  if (index % 3 === 0) return { kind: "regex", text: `matrix${index}\\.org`, ...settings };
  if (index % 3 === 1) return { kind: "regex", text: `(.+\\.)?friends${index}\\.example`, ...settings };
  return { kind: "glob", text: `*.net${index}.example.net`, ...settings };
}

const whitelist = await createWhitelist(Array.from({ length: 50 }, (_, index) => usualPattern(index)));
const hot = Array.from({ length: ROUND }, (_, index) => `host${index}.friends${index % 50}.example:8448`);
const cold = Array.from({ length: COLD_NAMES }, (_, index) => `cold${index}.friends${index % 50}.example`);
let nextCold = 0;

const LINE =
  'X-Matrix origin="hs1.test:8448",key="ed25519:a_gorw",sig="KmX9W6JT1MckWp5Fbvxp3d145Pk7XZrZGKBrA2A9Q9ah27EdrZ+nDruDDcfZS9q8QDU78eSPLMrNLAOCqz+wDQ",destination="hs2.test:8448"';
const identify = createIdentify({
  order: ["x-matrix", "http-signature", "mtls", "address"],
  networks: createNetworks({ "relay.test": ["10.1.0.0/16"] }),
});
const evidence = {
  authorization: [LINE],
  signature: [],
  signatureInput: [],
  certificateNames: [],
  address: "192.0.2.1",
};

// What is timed must be right: entry 1 names friends1, and no entry friends2.
if (whitelist.decide("host1.friends1.example").entry?.index !== 1)
  throw new Error("a friend is not whitelisted");
if (whitelist.decide("host2.friends2.example").isWhitelisted) throw new Error("a stranger is whitelisted");
if (identify(evidence).name !== "hs1.test:8448") throw new Error("the origin is not read");

describe("whitelist, 50 patterns", () => {
  bench("1,000 hot names", () => {
    for (const name of hot) whitelist.decide(name);
  });
  bench("1,000 cold names", () => {
    for (let count = 0; count < ROUND; count++) {
      whitelist.decide(cold[nextCold] ?? "");
      nextCold = (nextCold + 1) % COLD_NAMES;
    }
  });
});

describe("caller", () => {
  bench("1,000 X-Matrix origins", () => {
    for (let count = 0; count < ROUND; count++) parseXMatrixOrigin([LINE]);
  });
  bench("1,000 callers identified", () => {
    for (let count = 0; count < ROUND; count++) identify(evidence);
  });
});
