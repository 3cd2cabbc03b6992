/**
 * Forged HTTP signatures. What is not covered by a signature can be changed under it; a signature without a time is good for ever, one
 * without a host anywhere; and a host that shows a key in another's name signs for that one.
 *
 * Source: RFC 9421 sections 7.2.1 (coverage) and 7.2.2 (replay); CVE-2026-28432 (Misskey's check could be passed by);
 * CVE-2024-23832 (Mastodon took a host's word for what is of another).
 * Without the rule: who was ever sent a delivery can send it on, or another one under its signature, in the sender's name.
 * Not here: which keys are asked for (ssrf-by-keys.test.ts); every form of a line (test/proof/http-signature-refusals.test.ts).
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startWeb, type Web } from "../discovery/web.ts";
import { poll } from "../support/poll.ts";
import { type Delivery, signByDraft, signByRfc } from "../support/signed-requests.ts";
import { type Attacked, type Passed, startAttacked } from "./attacked.ts";
import { expectForged, expectNoNamesIn, expectProven, OWN, TELLING_ANSWER, W3C } from "./proof-bought.ts";
import { rsaPair } from "../support/rsa-keys.ts";

/** How far a signature's time may be from ours. */
const WINDOW_MS = 300_000;
/** A Date has no parts of a second, and a slow machine takes some to send it. */
const SLACK_MS = 5000;

const rsa = rsaPair("one");
const forged = rsaPair("two");
const BODY = JSON.stringify({ type: "Follow" });

let web: Web;
/** Nothing is sampled but what a proven friend asks for: a forced sample is a span. */
let attacked: Attacked;

beforeAll(async () => {
  web = await startWeb();
  attacked = await startAttacked(
    {
      whitelist: [{ regex: "[ac]\\.example", sampling: "trust" }],
      sampling: { type: "const", param: 0 },
    },
    { keys: { ca_file: "test/fixtures/discovery/ca.pem", allow_networks: ["127.0.0.0/8"] } },
    { resolve: async () => ["127.0.0.1"], fetchServerKeys: async () => "" },
  );
  attacked.answerWith(TELLING_ANSWER);
  web.answer(({ url = "" }, response) => {
    const user = url.replace("/users/", "");
    const shown = SHOWN[user]?.(keyIdOf(user)) ?? {};
    response.setHeader("content-type", "application/activity+json").end(JSON.stringify(shown));
  });
  await meet("honest");
});
afterAll(async () => {
  await attacked.stop();
  web.stop();
});

const actorOf = (host: string, user: string): string => `https://${host}.example:${web.port}/users/${user}`;
const keyIdOf = (user: string): string => `${actorOf("c", user)}#main-key`;

/** What users of c.example show; some of them in another's name. */
const SHOWN: Readonly<Record<string, (keyId: string) => object>> = {
  honest: (id) => documentOf(actorOf("c", "honest"), { id, owner: actorOf("c", "honest") }),
  owner: (id) => documentOf(actorOf("c", "owner"), { id, owner: actorOf("a", "x") }),
  whole: (id) => documentOf(actorOf("a", "x"), { id, owner: actorOf("a", "x") }),
  foreign: () =>
    documentOf(actorOf("c", "foreign"), { id: `${actorOf("a", "x")}#main-key`, owner: actorOf("a", "x") }),
};

function documentOf(id: string, key: object): object {
  return { id, publicKey: { ...key, publicKeyPem: rsa.publicKey.export({ type: "spki", format: "pem" }) } };
}

interface Sent {
  readonly sign?: (delivery: Delivery) => readonly string[];
  /** What is signed, where that is not what is sent. */
  readonly signed?: Partial<Delivery>;
  /** Of the signature. */
  readonly ageMs?: number;
  readonly change?: (lines: readonly string[]) => readonly string[];
  readonly line?: string;
  readonly body?: string;
}

function delivery(changes: Partial<Delivery> = {}): Delivery {
  return {
    url: `http://${OWN}/inbox`,
    host: OWN,
    keyId: keyIdOf("honest"),
    key: rsa.privateKey,
    body: BODY,
    ...changes,
  };
}

function passSigned(sent: Sent): Promise<Passed> {
  const { sign = signByDraft, signed = {}, ageMs = 0, body = BODY, line = "POST /inbox" } = sent;
  const lines = sign(delivery({ madeMs: Date.now() - ageMs, ...signed }));
  return passLines(sent.change?.(lines) ?? lines, { line, body });
}

/** @param lines the first is Host */
function passLines(
  [host = "", ...lines]: readonly string[],
  { line = "POST /inbox", body = BODY }: Pick<Sent, "line" | "body"> = {},
): Promise<Passed> {
  const framed = [...lines, `Content-Length: ${body.length}`, W3C];
  return attacked.passIn(framed, { line, body, host: host.replace("Host: ", "") });
}

/** Sends until the key was asked for: of one host, two a second are. */
async function meet(user: string): Promise<void> {
  const before = await fetches();
  const ask = async (): Promise<string | undefined> => {
    await passSigned({ signed: { keyId: keyIdOf(user) } });
    return (await fetches()) > before ? "asked" : undefined;
  };
  expect(await poll(ask, 10_000)).toBe("asked");
}

async function fetches(): Promise<number> {
  return [...(await attacked.scrape())]
    .filter(([series]) => series.startsWith('fedtrace_key_fetches_total{kind="actor"'))
    .reduce((sum, [, count]) => sum + count, 0);
}

it.each<{ why: string; sent: Sent }>([
  { why: "as Mastodon sends it", sent: {} },
  { why: "by RFC 9421", sent: { sign: signByRfc } },
  { why: "as old as may be", sent: { ageMs: WINDOW_MS - SLACK_MS } },
  { why: "as far in the future as may be", sent: { ageMs: SLACK_MS - WINDOW_MS } },
])("proves a friend: $why", async ({ sent }) => {
  expectProven(await passSigned(sent));
});

const DELETED = BODY.replace("Follow", "Delete");
const without = (name: string): Partial<Delivery> => ({
  covered: ["(request-target)", "host", "date", "digest"].filter((one) => one !== name).join(" "),
});

describe("proves nobody", () => {
  it.each<{ why: string; sent: Sent }>([
    { why: "a key of the forger's own", sent: { signed: { key: forged.privateKey } } },
    { why: "the same by RFC 9421", sent: { sign: signByRfc, signed: { key: forged.privateKey } } },
    { why: "another path", sent: { line: "POST /users/x/inbox" } },
    { why: "a query that was not signed", sent: { line: "POST /inbox?x=1" } },
    { why: "another method", sent: { line: "PUT /inbox" } },
    { why: "another body than the Digest's", sent: { body: DELETED } },
    { why: "another body than the Content-Digest's", sent: { sign: signByRfc, body: DELETED } },
    {
      why: "another body with its own Digest",
      sent: { body: DELETED, change: (lines) => lines.map((line) => digestFor(DELETED, line)) },
    },
    {
      why: "a date that was changed",
      sent: {
        ageMs: WINDOW_MS + SLACK_MS,
        change: (lines) =>
          lines.map((line) => line.replace(/^Date: .*/, `Date: ${new Date().toUTCString()}`)),
      },
    },
  ])("that it is not of: $why", async ({ sent }) => {
    await expectForged(attacked, "wrong", () => passSigned(sent));
  });

  it.each<{ why: string; sent: Sent }>([
    { why: "too long ago", sent: { ageMs: WINDOW_MS + SLACK_MS } },
    { why: "too long ago, by RFC 9421", sent: { sign: signByRfc, ageMs: WINDOW_MS + SLACK_MS } },
    { why: "in the future", sent: { ageMs: -WINDOW_MS - SLACK_MS } },
  ])("of another time: $why", async ({ sent }) => {
    await expectForged(attacked, "outdated", () => passSigned(sent));
  });

  it.each([
    { why: "any path, then", covered: without("(request-target)") },
    { why: "any server", covered: without("host") },
    { why: "for ever", covered: without("date") },
    { why: "any body", covered: without("digest") },
  ])("that leaves out what must be signed: $why", async ({ covered }) => {
    await expectForged(attacked, "uncovered", () => passSigned({ signed: covered }));
  });

  it("of another server's delivery, handed on with its Host", async () => {
    const lines = signByDraft(delivery({ url: "http://victim.test/inbox", host: "victim.test" }));
    await expectForged(attacked, "destination", () => passLines(lines));
    // Nor with ours, which was not signed.
    await expectForged(attacked, "wrong", () => passLines([`Host: ${OWN}`, ...lines.slice(1)]));
  });

  it("in words that no reader knows", async () => {
    const change: Sent["change"] = (lines) => lines.map((line) => line.replace("rsa-sha256", "hmac-sha256"));
    await expectForged(attacked, "malformed", () => passSigned({ change }));
  });

  it.each([
    { why: "its owner is of another host", user: "owner" },
    { why: "all of it is of another host", user: "whole" },
    { why: "it is the key of another host's user", user: "foreign" },
  ])("by a key that its host shows in another's name: $why", async ({ user }) => {
    await meet(user);
    await expectForged(attacked, "unknown", () => passSigned({ signed: { keyId: keyIdOf(user) } }));
  });

  it("by a stranger's key, whatever its actor would call himself", async () => {
    web.takeRequests();
    const keyId = `${actorOf("b", "x")}#main-key`;
    await expectForged(attacked, undefined, () => passSigned({ signed: { keyId } }));
    expect(web.takeRequests()).toEqual([]);
  });
});

it("sent again within its window proves its sender again, and not after it", async () => {
  const caught = signByDraft(delivery());
  for (let times = 0; times < 2; times++) expectProven(await passLines(caught));
  attacked.advance(WINDOW_MS + SLACK_MS);
  await expectForged(attacked, "outdated", () => passLines(caught));
});

it("no forged account and no key id is a metric's label", () => expectNoNamesIn(attacked));

/** The line as it would be for another body, where it is the Digest. */
function digestFor(body: string, line: string): string {
  const digest = signByDraft(delivery({ body })).find((one) => one.startsWith("Digest:"));
  return line.startsWith("Digest:") ? (digest ?? line) : line;
}
