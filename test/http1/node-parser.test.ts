/**
 * Our request parser and node's own, on 10,000 damaged heads: the same verdict and the same fields (method, target,
 * version, lines, framing, persistence, upgrade), or a difference that a row of node-differences.ts explains.
 * Method: captured and synthetic heads are mutated from a fixed seed; each is read by HeadBuffer + parseRequestHead,
 * whole and cut in two, and by a strict node:http server. A difference without a class fails, and so does a class whose
 * witness shows no difference, or one that another class explains too.
 */

import { expect, it } from "vitest";
import { FIELD, fieldValue, MARK_SIZE } from "../../src/http1/fields.ts";
import { CHUNKED } from "../../src/http1/framing.ts";
import { HeadBuffer } from "../../src/http1/head-buffer.ts";
import { parseRequestHead, type RequestHead } from "../../src/http1/request-head.ts";
import { createProxyFields } from "../../src/proxy/field-tags.ts";
import { createDice, mutate } from "./mutations.ts";
import { type Difference, DIFFERENCE_CLASSES } from "./node-differences.ts";
import { type AcceptedReading, BODY_SEEN_MAX, createNodeOracle, type Reading } from "./node-oracle.ts";
import { readCapturedHeads, SYNTHETIC_HEADS } from "./sample-heads.ts";
import { runs } from "../support/runs.ts";

const MUTATIONS = runs(10_000);
const SEED = 20_261_122;
const HEAD_BYTES = 65_536;
const HEAD_LINES = 200;

const FIELDS = createProxyFields([]);
/** Major and minor version of node's parser. */
const LLHTTP = Number.parseFloat(process.versions["llhttp"] ?? "");

/** Every line; those of the table as their marks and `fieldValue` have them, so that a mark one byte off would show. */
function linesOf({ text, fieldsAt, marks }: RequestHead): AcceptedReading["lines"] {
  const markAt = new Map<number, number>();
  for (let index = 0; index < marks.length; index += MARK_SIZE) markAt.set(marks[index + 1] ?? 0, index);
  const lines: (readonly [string, string])[] = [];
  for (let at = fieldsAt; at < text.length - 2;) {
    const index = markAt.get(at);
    const colon = index === undefined ? text.indexOf(":", at) : (marks[index + 2] ?? 0);
    const next = index === undefined ? text.indexOf("\r\n", at) + 2 : (marks[index + 3] ?? 0);
    const trimmed = text.slice(colon + 1, next - 2).replaceAll(/^[ \t]+|[ \t]+$/g, "");
    lines.push([text.slice(at, colon), index === undefined ? trimmed : fieldValue(text, marks, index)]);
    at = next;
  }
  return lines;
}

function readOurs(pieces: readonly Buffer[]): Reading {
  const buffer = new HeadBuffer(HEAD_BYTES);
  for (const piece of pieces) {
    const found = buffer.take(piece, 0);
    if (found === "more") continue;
    if (typeof found === "string") return { verdict: "refused", why: found };
    const head = parseRequestHead(found.text, FIELDS, HEAD_LINES);
    return typeof head === "string" ? { verdict: "refused", why: head } : toReading(head);
  }
  return { verdict: "incomplete" };
}

function toReading(head: RequestHead): AcceptedReading {
  const hasUpgrade = head.marks.some((mark, index) => index % MARK_SIZE === 0 && mark === FIELD.UPGRADE);
  const isUpgrade = head.method === "CONNECT" || (head.connection.isUpgrade && hasUpgrade);
  const body = head.bodyLength === CHUNKED ? "chunked" : Math.min(head.bodyLength, BODY_SEEN_MAX);
  return {
    verdict: "accepted",
    method: head.method,
    target: head.target,
    version: head.isHttp10 ? "1.0" : "1.1",
    lines: linesOf(head),
    body: isUpgrade ? undefined : body,
    isUpgrade,
    isKeptAlive: isUpgrade ? undefined : !head.isHttp10 && !head.connection.isClose,
  };
}

/** Up to and with its first empty line, so that what follows can't be judged with it. */
function cutBehindHead(text: string): string {
  const start = Math.max(0, text.search(/[^\r\n]/));
  const end = text.indexOf("\r\n\r\n", start);
  return end === -1 ? text : text.slice(0, end + 4);
}

function compare(text: string, ours: Reading, node: Reading): Difference | undefined {
  const verdicts = `${ours.verdict}/${node.verdict}`;
  const word = ours.verdict === "refused" ? ours.why : "";
  const lead = /^[\r\n]*/.exec(text)?.[0] ?? "";
  const difference = { lead, text: text.slice(lead.length), verdicts, word, keys: "" };
  if (ours.verdict !== node.verdict) return difference;
  if (ours.verdict !== "accepted" || node.verdict !== "accepted") return undefined;
  const keys = Object.entries(ours)
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(node[key as keyof AcceptedReading]))
    .map(([key]) => key)
    .join();
  return keys === "" ? undefined : { ...difference, keys };
}

const oracle = createNodeOracle(HEAD_BYTES);

it(`reads ${MUTATIONS} damaged heads as node does, but for the classes of the table`, async () => {
  const samples = [...readCapturedHeads(), ...SYNTHETIC_HEADS];
  const dice = createDice(SEED);
  const verdicts = { accepted: 0, refused: 0, incomplete: 0 };
  const unexplained: Difference[] = [];
  for (let turn = 0; turn < MUTATIONS; turn++) {
    const text = cutBehindHead(mutate(samples[turn % samples.length] ?? "", dice));
    const bytes = Buffer.from(text, "latin1");
    const ours = readOurs([bytes]);
    const cut = dice(bytes.length + 1);
    expect(readOurs([bytes.subarray(0, cut), bytes.subarray(cut)]), JSON.stringify(text)).toEqual(ours);
    verdicts[ours.verdict]++;

    const difference = compare(text, ours, await oracle.read(bytes));
    if (difference === undefined) continue;
    if (!DIFFERENCE_CLASSES.some((row) => row.explains(difference))) unexplained.push(difference);
  }
  expect(unexplained).toEqual([]);
  // The damage is neither mostly harmless nor mostly fatal.
  expect(verdicts.accepted).toBeGreaterThan(MUTATIONS / 5);
  expect(verdicts.refused).toBeGreaterThan(MUTATIONS / 5);
});

it.each(DIFFERENCE_CLASSES)("differs on: $name ($source)", async (row) => {
  const bytes = Buffer.from(row.witness, "latin1");
  const difference = compare(row.witness, readOurs([bytes]), await oracle.read(bytes));
  const classes = DIFFERENCE_CLASSES.filter(
    (other) => difference !== undefined && other.explains(difference),
  );
  const isGone = row.isGoneInLlhttp94 === true && LLHTTP >= 9.4;
  expect(classes.map(({ name }) => name)).toEqual(isGone ? [] : [row.name]);
});

it.each([...readCapturedHeads(), ...SYNTHETIC_HEADS].map((text) => ({ text, line: text.split("\r\n")[0] })))(
  "reads undamaged $line as node does",
  async ({ text }) => {
    const bytes = Buffer.from(text, "latin1");
    const node = await oracle.read(bytes);
    const difference = compare(text, readOurs([bytes]), node);
    expect(node.verdict).toBe("accepted");
    expect(difference?.keys ?? "isKeptAlive").toBe("isKeptAlive");
  },
);
