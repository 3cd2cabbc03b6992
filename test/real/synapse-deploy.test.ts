/**
 * deploy/synapse without a container engine: a real Synapse with homeserver-fedtrace.yaml as its second config file, and a
 * sidecar with fedtrace.yaml, federate with a Synapse that has neither.
 *
 * ```
 *   Synapse with the file ──► sidecar with the file ──TLS──► bare Synapse      and the same way back
 * ```
 * Ports and the secret are put in by rewriting texts; the sidecar's environment has the rest, as in the compose file. One line
 * is added, since here the other server is on loopback: `outbound.allow_networks`.
 */

import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/cli.ts";
import { type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { hopsBetween } from "./federation-hops.ts";
import { freePorts } from "./free-ports.ts";
import { federate, federationRequestsTo, fixture, INSTALL_TIMEOUT_MS } from "./homeserver-pair.ts";
import { findJaeger } from "./jaeger-binary.ts";
import { startHomeserver } from "./synapse.ts";
import { startBare } from "./synapse-bare.ts";
import { createUser } from "./synapse-client.ts";
import { findSynapse } from "./synapse-python.ts";
import { ASKED_BOTH_WAYS, startSynapseJaeger } from "./synapse-sidecars.ts";

const BUILD_TIMEOUT_MS = 40 * 60_000 + INSTALL_TIMEOUT_MS;
const MESSAGES = 1;
const SECRET = "a-long-random-text";

let programs: { readonly python: string; readonly jaegerProgram: string };
beforeAll(async () => {
  programs = { jaegerProgram: await findJaeger(), python: (await findSynapse()).path };
}, BUILD_TIMEOUT_MS);

it("federates with the settings as they are, both ways, and hangs Synapse's spans together with the sidecar's", async () => {
  const { python, jaegerProgram } = programs;
  const { jaeger, agentPort } = await startSynapseJaeger(jaegerProgram);
  const [inboundPort = 0, outboundPort = 0, barePort = 0] = await freePorts(3);
  const serverName = `127.0.0.1:${inboundPort}`;
  const homeserver = await startHomeserver({
    python,
    serverName,
    overlay: (port) =>
      deployed("homeserver-fedtrace.yaml", [
        ["- port: 8008", `- port: ${port}`],
        ["port: 3128", `port: ${outboundPort}`],
        ["reporting_port: 6831", `reporting_port: ${agentPort}`],
        ["change-me-here-and-in-the-environment-of-the-sidecar", SECRET],
      ]),
  });
  onTestFinished(() => homeserver.stop());
  const sidecar = await startDeployedSidecar(serverName, [
    ["0.0.0.0:8448", serverName],
    ["//127.0.0.1:8008", `//127.0.0.1:${homeserver.port}`],
    ["127.0.0.1:3128", `127.0.0.1:${outboundPort}\n  allow_networks: [127.0.0.0/8]`],
    ["http://127.0.0.1:4318/v1/traces", jaeger.otlpUrl],
  ]);
  const bare = await startBare(python, barePort, "hs2");

  const [anna, bert] = await Promise.all([createUser(homeserver, "anna"), createUser(bare, "bert")]);
  await federate(anna, bert, MESSAGES);

  const [came, went] = [federationRequestsTo(homeserver), federationRequestsTo(bare)];
  expect([...came, ...went].filter(({ status }) => status !== 200)).toEqual([]);
  await expect
    .poll(() => requestsThrough(sidecar), { timeout: 20_000 })
    .toMatchObject({ inbound: came.length, outbound: went.length });
  expect(await sidecar.stop()).toBe(0);
  const ends = { sender: { homeserver }, receiver: { homeserver: bare } };
  // The sidecar's own sampler takes one in a hundred: these are the ones that Synapse, which takes all, has sampled.
  const hops = await hopsBetween(jaeger, ends, "sender");
  expect(hops.map(({ operation }) => operation)).toEqual(expect.arrayContaining(ASKED_BOTH_WAYS));
  for (const hop of hops) {
    expect(hop.spans).toEqual(["sender's sidecar: client", "sender's Synapse: outgoing-federation-request"]);
  }
});

type Rewrites = readonly (readonly [text: string, by: string])[];

/** A file of deploy/synapse. @throws Error where it lacks what is to be rewritten */
function deployed(file: string, rewrites: Rewrites): string {
  const text = readFileSync(join("deploy/synapse", file), "utf8");
  const found = rewrites.map(([from, to]) => ({ at: text.indexOf(from), from, to }));
  // Each is looked for in the file alone: a port that was written may begin like one that is looked for.
  let written = "";
  let end = 0;
  for (const { at, from, to } of found.toSorted((one, two) => one.at - two.at)) {
    if (at < end) throw new Error(`deploy/synapse/${file} has no ${from} of its own`);
    written += text.slice(end, at) + to;
    end = at + from.length;
  }
  return written + text.slice(end);
}

async function startDeployedSidecar(serverName: string, rewrites: Rewrites): Promise<SpawnedSidecar> {
  const directory = temporaryDirectory();
  copyFileSync(fixture("hs1.pem"), join(directory, "fullchain.pem"));
  copyFileSync(fixture("hs1.key"), join(directory, "privkey.pem"));
  const configPath = join(directory, "fedtrace.yaml");
  writeFileSync(configPath, deployed("fedtrace.yaml", rewrites));
  const environment = {
    SERVER_NAME: serverName,
    FEDTRACE_SECRET: SECRET,
    FEDTRACE_ADMIN: "127.0.0.1:0",
    SSL_CERT_FILE: fixture("ca.pem"), // The system's roots, of which one is the test's authority.
  };
  return startSidecar({}, { configPath, environment });
}

/** Of `fedtrace_peers_total`, whatever the verdict. */
async function requestsThrough({ port }: SpawnedSidecar): Promise<Readonly<Record<string, number>>> {
  const text = await (await fetch(`http://127.0.0.1:${port.admin}/metrics`)).text();
  const counts: Record<string, number> = {};
  for (const [, direction = "", count] of text.matchAll(
    /^fedtrace_peers_total\{direction="(\w+)",[^}]*\} (\d+)$/gm,
  )) {
    counts[direction] = (counts[direction] ?? 0) + Number(count);
  }
  return counts;
}
