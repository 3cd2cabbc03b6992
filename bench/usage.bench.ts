/**
 * Question: what do usage reports cost a request, where they are on: to be counted, and to have its transaction's events counted?
 * Decision it feeds: whether counting may be done within the request, and the body be looked at byte by byte. Off they cost a comparison.
 * Input:    1,000 requests of 100 peers, one in ten sampled; a task is all of them, so its time in ms is the time of one in µs. The
 *           transaction: 5 events of some 900 bytes as Synapse sends them, once whole and once in pieces of 1,460 bytes.
 * Run:      npx vitest bench --run bench/usage.bench.ts   (alone on the machine)
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file.
 */

import { bench, describe } from "vitest";
import type { ExchangeFacts } from "../src/proxy/exchange-span.ts";
import { TransactionUnits } from "../src/proxy/transaction-units.ts";
import { countUsage } from "../src/proxy/usage-counts.ts";
import { createUsageRecorder } from "../src/usage/recorder.ts";

const REQUESTS = 1000;
const SEGMENT_BYTES = 1460;

const facts = Array.from({ length: REQUESTS }, (_, at) => ({
  direction: at % 2 === 0 ? "inbound" : "outbound",
  crossing: {
    peer: { name: `peer${at % 100}.example` },
    context: { isSampled: at % 10 === 0 },
    parent: undefined,
  },
  status: 200,
  startUnixMs: 1000,
  responseBytes: 100,
  requestBytes: 50,
  units: undefined,
})) as unknown as readonly ExchangeFacts[];

const EVENT = {
  type: "m.room.encrypted",
  auth_events: ["$".padEnd(44, "a"), "$".padEnd(44, "b"), "$".padEnd(44, "c")],
  prev_events: ["$".padEnd(44, "d")],
  content: { algorithm: "m.megolm.v1.aes-sha2", ciphertext: "A".repeat(300), sender_key: "x".repeat(43) },
  depth: 12,
  hashes: { sha256: "y".repeat(43) },
  origin_server_ts: 1_796_025_820_000,
  room_id: "!abcdefghijklmnopqr:hs1.test",
  sender: "@anna:hs1.test",
  signatures: { "hs1.test": { "ed25519:a_gorw": "z".repeat(86) } },
};
const body = Buffer.from(
  JSON.stringify({ origin: "hs1.test", pdus: Array(5).fill(EVENT), edus: [{ edu_type: "m.typing" }] }),
);

const recorder = createUsageRecorder(process);
for (const one of facts.slice(0, 1)) countUsage(recorder, one, 1010);
const counted = recorder.take();
if (counted.counts.requestsIn !== 1 || counted.peers.length !== 1) throw new Error("counts wrongly");
for (const size of [body.length, SEGMENT_BYTES]) {
  const units = unitsOf(size);
  if (units.pdus !== 5 || units.edus !== 1) throw new Error("counts events wrongly");
}

function unitsOf(size: number): TransactionUnits {
  const units = new TransactionUnits();
  for (let at = 0; at < body.length; at += size) units.read(body.subarray(at, at + size));
  return units;
}

describe("1,000 requests, so ms are µs a request", () => {
  bench("counted for reports", () => {
    for (const [at, one] of facts.entries()) countUsage(recorder, one, 1000 + (at % 97));
  });
});

describe(`1,000 transactions of ${body.length} bytes`, () => {
  for (const [name, size] of [
    ["whole", body.length],
    ["in segments", SEGMENT_BYTES],
  ] as const) {
    bench(name, () => {
      for (let at = 0; at < REQUESTS; at++) unitsOf(size);
    });
  }
});
