/**
 * Forged proof. A name that must be signed is borrowed by a signature that is nobody's, another's, of another request, or of a key
 * that is no longer good; or by one proof that is real beside a name that it is not of.
 *
 * Source: https://spec.matrix.org/v1.16/server-server-api/#request-authentication and #retrieving-server-keys (what is signed, by which
 * keys); CWE-347; CWE-345 for proof of one thing that is taken for another's.
 * Without the rule: `authenticate: signature`, the default, is a word, and whoever writes `origin="trusted"` is trusted.
 * Not here: HTTP signatures (forged-http-signature.test.ts), and how keys are fetched (ssrf-by-keys.test.ts).
 */

import { afterAll, beforeAll, describe, it } from "vitest";
import { createMatrixSigner, type MatrixSigner } from "../support/matrix-signer.ts";
import { type Attacked, type Passed, startAttacked, TLS } from "./attacked.ts";
import { expectForged, expectNoNamesIn, expectProven, OWN, TELLING_ANSWER, W3C } from "./proof-bought.ts";

const HOUR_MS = 3_600_000;

const friend = createMatrixSigner("friend.test:8448");
const forger = createMatrixSigner(friend.name, friend.keyId);
/** On the whitelist too. */
const another = createMatrixSigner("another.test");
const brief = createMatrixSigner("brief.test");
const expired = createMatrixSigner("expired.test");
const silent = createMatrixSigner("silent.test");
const replaced = createMatrixSigner("replaced.test", "ed25519:old");
const replacing = createMatrixSigner(replaced.name, "ed25519:new");
const stranger = createMatrixSigner("stranger.test");

/** What each publishes; nobody else does. */
const PUBLISHED: Readonly<Record<string, () => string>> = {
  [friend.name]: () => friend.keyDocument(),
  [another.name]: () => another.keyDocument(),
  [brief.name]: () => brief.keyDocument(HOUR_MS),
  [expired.name]: () => expired.keyDocument(-1),
  [replaced.name]: documentOfTwoKeys,
};

/** The new key stands under `verify_keys`, the old one under `old_verify_keys`; both have signed. */
function documentOfTwoKeys(): string {
  const old = JSON.parse(replaced.keyDocument()) as { verify_keys: Record<string, object> };
  const current = JSON.parse(replacing.keyDocument()) as Record<string, unknown>;
  const [key] = Object.values(old.verify_keys);
  const old_verify_keys = { [replaced.keyId]: { ...key, expired_ts: Date.now() } };
  return replacing.certify(replaced.certify(JSON.stringify({ ...current, old_verify_keys, signatures: {} })));
}

/** Nothing is sampled but what a proven friend asks for: a forced sample is a span. */
let attacked: Attacked;
/** It reads certificates too. */
let secure: Attacked;

beforeAll(async () => {
  const document = {
    whitelist: [{ regex: "(friend|another|brief|expired|silent|replaced)\\.test", sampling: "trust" }],
    sampling: { type: "const", param: 0 },
  };
  const tools = {
    // An empty document is one that can't be read: nobody here is asked over the network.
    fetchServerKeys: async ({ name }: { readonly name: string }) => PUBLISHED[name]?.() ?? "",
  };
  attacked = await startAttacked(document, {}, tools);
  secure = await startAttacked(document, { tls: TLS }, tools);
  for (const one of [attacked, secure]) {
    one.answerWith(TELLING_ANSWER);
    for (const { name } of [friend, another, brief, expired, silent, replaced]) {
      await one.sidecar.learnKeys(name);
      one.advance(1000); // So many keys a second are asked for, and no more.
    }
  }
});
afterAll(() => Promise.all([attacked, secure].map((one) => one.stop())));

describe("X-Matrix", () => {
  const URI = "/_matrix/federation/v1/send/1?a=%21b";
  const BODY = '{"pdus": [], "origin": "friend.test:8448"}';
  /** As much as is waited for, and a byte more. */
  const LONG = [65_536, 65_537].map((length) => `{"a":"${"x".repeat(length - 8)}"}`);

  interface Sent {
    readonly method?: string;
    readonly signer?: MatrixSigner;
    /** What is signed, where that is not what is sent. */
    readonly signed?: Partial<Parameters<MatrixSigner["authorize"]>[0]>;
    readonly body?: string;
    readonly authorize?: (line: string) => string;
    readonly lines?: readonly string[];
  }

  function passMatrix({
    signer = friend,
    signed = {},
    body,
    method = body === undefined ? "GET" : "PUT",
    authorize = (line) => line,
    lines = [],
  }: Sent): Promise<Passed> {
    const content = body === undefined ? {} : { content: JSON.parse(body) as unknown };
    const line = signer.authorize({ method, uri: URI, destination: OWN, ...content, ...signed });
    const framing = body === undefined ? [] : [`Content-Length: ${body.length}`];
    return attacked.passIn([`Authorization: ${authorize(line)}`, ...framing, W3C, ...lines], {
      line: `${method} ${URI}`,
      ...(body === undefined ? {} : { body }),
    });
  }

  it.each<{ why: string; sent: Sent }>([
    { why: "a request without body", sent: {} },
    { why: "with one", sent: { body: BODY } },
    { why: "with one as long as is waited for", sent: { body: LONG[0] ?? "" } },
    { why: "to this server, its name in other letters", sent: { signed: { destination: "Own.Test" } } },
    { why: "by a key that came in the place of another", sent: { signer: replacing } },
    { why: "whoever's word stands beside it", sent: { lines: ["X-Forwarded-For: 192.0.2.1", "From: x@y"] } },
  ])("proves a friend: $why", async ({ sent }) => {
    expectProven(await passMatrix(sent));
  });

  it.each<{ why: string; refusal: string | undefined; sent: Sent }>([
    { why: "a name and nothing else", sent: { authorize: (l) => l.replace(/,.*/, "") }, refusal: "absent" },
    {
      why: "a signature that is no Base64",
      sent: { authorize: (line) => line.replace(/sig="[^"]*"/, 'sig="!"') },
      refusal: "malformed",
    },
    { why: "a signature by a key of the forger's own", sent: { signer: forger }, refusal: "wrong" },
    { why: "the same, with a body", sent: { signer: forger, body: BODY }, refusal: "wrong" },
    {
      why: "a key id that the friend does not publish",
      sent: { signer: createMatrixSigner(friend.name, "ed25519:forged") },
      refusal: "unknown",
    },
    { why: "another path", sent: { signed: { uri: URI.replace("%21", "!") } }, refusal: "wrong" },
    { why: "another query", sent: { signed: { uri: URI.replace(/\?.*/, "") } }, refusal: "wrong" },
    { why: "another method", sent: { signed: { method: "DELETE" } }, refusal: "wrong" },
    { why: "another body", sent: { body: BODY, signed: { content: { pdus: [1] } } }, refusal: "wrong" },
    {
      why: "a body where none was signed",
      sent: { body: BODY, signed: { content: undefined } },
      refusal: "wrong",
    },
    { why: "no body where one was signed", sent: { signed: { content: {} } }, refusal: "wrong" },
    {
      why: "a body longer than is waited for, signed or not",
      sent: { body: LONG[1] ?? "" },
      refusal: "body-size",
    },
    {
      why: "another server's request, handed on",
      sent: { signed: { destination: "victim.test" } },
      refusal: "destination",
    },
    {
      why: "another server's request, its destination rewritten",
      sent: {
        signed: { destination: "victim.test" },
        authorize: (line) => line.replace("victim.test", OWN),
      },
      refusal: "wrong",
    },
    {
      why: "another server's request, its destination taken out",
      sent: {
        signed: { destination: "victim.test" },
        authorize: (line) => line.replace(/,destination=.*/, ""),
      },
      refusal: "wrong",
    },
    {
      why: "a friend's own signature, in another friend's name",
      sent: { signer: another, signed: { origin: friend.name } },
      refusal: "wrong",
    },
    {
      why: "a friend's request, its origin rewritten to another friend",
      sent: { signer: another, authorize: (line) => line.replace(another.name, friend.name) },
      refusal: "wrong",
    },
    { why: "a key whose document has expired", sent: { signer: expired }, refusal: "unknown" },
    { why: "a key that stands under old_verify_keys only", sent: { signer: replaced }, refusal: "unknown" },
    { why: "a key that nobody publishes", sent: { signer: silent }, refusal: "unknown" },
    {
      why: "two origins, of which the friend has signed",
      sent: {
        lines: [`Authorization: ${stranger.authorize({ method: "GET", uri: URI, destination: OWN })}`],
      },
      refusal: undefined,
    },
    {
      why: "two friends, of which one has signed",
      sent: {
        lines: [
          `Authorization: ${forger.authorize({ method: "GET", uri: URI, destination: OWN, origin: another.name })}`,
        ],
      },
      refusal: undefined,
    },
    {
      why: "two origins in one line, of which the last has signed",
      sent: { authorize: (line) => line.replace("origin=", `origin="${another.name}",origin=`) },
      refusal: undefined,
    },
    { why: "a stranger's own, which is right", sent: { signer: stranger }, refusal: undefined },
  ])("proves nobody: $why", async ({ sent, refusal }) => {
    await expectForged(attacked, refusal, () => passMatrix(sent));
  });

  it("sent again proves its sender again, as often as it is caught, for this request alone", async () => {
    const authorization = friend.authorize({ method: "GET", uri: URI, destination: OWN });
    const caught: Sent = { authorize: () => authorization };
    for (let times = 0; times < 3; times++) expectProven(await passMatrix(caught));
    await expectForged(attacked, "wrong", () => passMatrix({ ...caught, method: "DELETE" }));
  });
});

describe("a certificate", () => {
  const signed = another.authorize({ method: "GET", uri: "/x", destination: OWN });
  const forgedLine = signed.replace(/sig="..../, 'sig="AAAA');

  it.each([
    { why: "a friend's, and nothing signed", pair: "friend", lines: [], refusal: "absent" },
    {
      why: "a friend's, with a forged signature of another friend",
      pair: "friend",
      lines: [`Authorization: ${forgedLine}`],
      refusal: "wrong",
    },
    {
      why: "another's, with a forged signature of a friend",
      pair: "evil",
      lines: [`Authorization: ${forgedLine}`],
      refusal: "wrong",
    },
  ])("makes up for no signature: $why", async ({ pair, lines, refusal }) => {
    await expectForged(secure, refusal, () => secure.passInWith(pair, [...lines, W3C]));
  });

  it("of another takes nothing from a signature that is right", async () => {
    expectProven(await secure.passInWith("evil", [`Authorization: ${signed}`, W3C]));
  });
});

describe("a key whose time is over", () => {
  it("proves nobody any more, though it is still shown", async () => {
    const lines = [`Authorization: ${brief.authorize({ method: "GET", uri: "/x", destination: OWN })}`, W3C];
    expectProven(await secure.passInWith(undefined, lines));
    secure.advance(2 * HOUR_MS);
    await expectForged(secure, "fetching", () => secure.passInWith(undefined, lines));
  });
});

it("no forged name and no key id is a metric's label", async () => {
  for (const one of [attacked, secure]) await expectNoNamesIn(one);
});
