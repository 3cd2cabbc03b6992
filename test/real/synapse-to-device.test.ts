/**
 * The trace context that a real Synapse writes into bodies (`org.matrix.opentracing_context`): both sidecars on its way
 * count it and tell of it, and neither changes it.
 *
 * A user writes to a device of the other's: Synapse sends that with the context beside it, and empties the context for the
 * servers that its own whitelist names, of all (synapse/federation/sender/transaction_manager.py, `keep_destination`, as of
 * 1.163.2). So A, which names nobody, sends contexts, and B, which names everybody, sends none.
 */

import { beforeAll, expect, it } from "vitest";
import { federationRequestsTo, INSTALL_TIMEOUT_MS } from "./homeserver-pair.ts";
import type { Jaeger } from "./jaeger.ts";
import { findJaeger } from "./jaeger-binary.ts";
import { createUser, type MatrixUser } from "./synapse-client.ts";
import { findSynapse } from "./synapse-python.ts";
import { type SidecarredServer, startPair } from "./synapse-sidecars.ts";

const BUILD_TIMEOUT_MS = 40 * 60_000 + INSTALL_TIMEOUT_MS;
/** The second one is no news of the peer. */
const MESSAGES = 2;
/** A second mostly; a busy machine takes its time. */
const PATIENT = { timeout: 20_000 };
const TOLD = "bodies carry trace contexts, which are signed and can't be taken out";
/** JSON in a string of JSON: Synapse's own format of a context, and none. */
const CONTEXT =
  /"org\.matrix\.opentracing_context":"\{\\"uber-trace-id\\":\\"[0-9a-f]+:[0-9a-f]+:[0-9a-f]+:1\\"\}"/g;
const EMPTY = /"org\.matrix\.opentracing_context":"\{\}"/g;

let programs: { readonly python: string; readonly jaegerProgram: string };
beforeAll(async () => {
  programs = { jaegerProgram: await findJaeger(), python: (await findSynapse()).path };
}, BUILD_TIMEOUT_MS);

it("is counted and told of by both sidecars, and arrives as it was signed", async () => {
  const { a, b, jaeger } = await startPair({
    ...programs,
    wayOut: "federation-proxy",
    isSynapseTraced: true,
    synapseWhitelist: { hs1: [], hs2: [".*"] },
    whitelist: [],
  });
  const [anna, bert] = await Promise.all([
    createUser(a.homeserver, "anna"),
    createUser(b.homeserver, "bert"),
  ]);
  await sendToDevices(anna, bert);
  await sendToDevices(bert, anna);

  // Counted when the answer is over, which may be after the message has arrived.
  await expect.poll(() => bodyContextsOf(a), PATIENT).toEqual({ outbound: MESSAGES, inbound: 0 });
  await expect.poll(() => bodyContextsOf(b), PATIENT).toEqual({ outbound: 0, inbound: MESSAGES });
  expect(toldBy(a)).toEqual([{ direction: "outbound", peer: b.homeserver.name }]);
  expect(toldBy(b)).toEqual([{ direction: "inbound", peer: a.homeserver.name }]);

  expect(await Promise.all([a.sidecar.stop(), b.sidecar.stop()])).toEqual([0, 0]);
  const [toA, toB] = [a.recorder.requestText(), b.recorder.requestText()];
  expect([toB.match(CONTEXT)?.length, toB.match(EMPTY)?.length]).toEqual([MESSAGES, undefined]);
  expect([toA.match(CONTEXT)?.length, toA.match(EMPTY)?.length]).toEqual([undefined, MESSAGES]);
  for (const { homeserver } of [a, b]) {
    // Synapse has verified the signature over the whole body before it says 200.
    const requests = federationRequestsTo(homeserver).filter(({ path }) => path.includes("/send/"));
    expect(requests.map(({ status }) => status)).toEqual(Array(MESSAGES).fill(200));
  }
  await expect.poll(() => taggedSpansOf(jaeger, a), PATIENT).toEqual(Array(MESSAGES).fill("outbound 1"));
  await expect.poll(() => taggedSpansOf(jaeger, b), PATIENT).toEqual(Array(MESSAGES).fill("inbound 1"));
});

/** One after the other, so that each is a transaction of its own. */
async function sendToDevices(from: MatrixUser, to: MatrixUser): Promise<void> {
  for (let count = 1; count <= MESSAGES; count++) {
    const event = { type: "test.fedtrace", content: { count, text: 'an ä, a " and a \\ of it' } };
    await from.sendToDevice(to, event);
    const arrived = await to.syncUntil(({ toDevice }) => toDevice[count - 1]);
    expect(arrived).toEqual({ ...event, sender: from.id });
  }
}

/** Of `fedtrace_body_contexts_total`, as the admin listener tells it. */
async function bodyContextsOf({ sidecar }: SidecarredServer): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`http://127.0.0.1:${sidecar.port.admin}/metrics`)).text();
  const lines = text.matchAll(/^fedtrace_body_contexts_total\{direction="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, direction = "", count]) => [direction, Number(count)]));
}

function toldBy({ sidecar }: SidecarredServer): readonly object[] {
  return sidecar
    .log()
    .filter(({ msg }) => msg === TOLD)
    .map(({ direction, peer }) => ({ direction, peer }));
}

/** Direction and number of contexts, of the sidecar's spans that saw some. */
async function taggedSpansOf(jaeger: Jaeger, { homeserver }: SidecarredServer): Promise<readonly string[]> {
  const service = `${homeserver.name} fedtrace`;
  const traces = await jaeger.tracesOf(service);
  return traces.flatMap(({ spans, processes }) =>
    spans
      .filter(({ processID }) => processes[processID]?.serviceName === service)
      .map(({ tags }) => new Map(tags.map(({ key, value }) => [key, value])))
      .filter((tags) => tags.has("fedtrace.body.contexts"))
      .map(
        (tags) => `${String(tags.get("fedtrace.direction"))} ${String(tags.get("fedtrace.body.contexts"))}`,
      ),
  );
}
