/**
 * jaeger-docker-compose.yml without a container engine: the real Jaeger with the very settings that the compose file
 * mounts, on its own ports, and the compose file's commands and configs as processes.
 *
 * What a container engine gives is put in by rewriting texts, and nothing else is: each pair of containers that shares a
 * network becomes a loopback address (127.0.0.11, 127.0.0.12) in place of 127.0.0.1, 0.0.0.0 and its name; `jaeger` and
 * the network become this machine's loopback; `/etc/jaeger` the directory that is mounted there.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { at, readYamlFile, textsOf } from "../deploy/deployment.ts";
import { type RunningProcess, startProcess } from "../deploy/process.ts";
import { poll } from "../support/poll.ts";
import type { JaegerTrace } from "./jaeger.ts";
import { findJaeger } from "./jaeger-binary.ts";

const compose = readYamlFile("deploy/jaeger-docker-compose.yml");
const ADDRESSES = { one: "127.0.0.11", two: "127.0.0.12" } as const;
type Name = keyof typeof ADDRESSES;

/** From a start to healthy, and from a request to a trace that can be read: both take seconds at most. */
const DEADLINE_MS = 30_000;

const directory = (): string => {
  const path = mkdtempSync(join(tmpdir(), "fedtrace-deploy-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
};

const command = (service: string): readonly string[] => textsOf(at(compose, "services", service, "command"));

/** A text of the container `name`, for this machine. */
function rewrite(text: string, name: Name): string {
  const subnet = String(at(compose, "networks", "federation", "ipam", "config", 0, "subnet"));
  return text
    .replaceAll(/\b(?:127\.0\.0\.1|0\.0\.0\.0)\b/g, ADDRESSES[name])
    .replaceAll("//jaeger:", "//127.0.0.1:")
    .replaceAll(subnet, "127.0.0.0/8")
    .replaceAll(/\b(one|two)\.example/g, (_, other: Name) => ADDRESSES[other])
    .replaceAll(/\b(one|two)\\\.example/g, (_, other: Name) => ADDRESSES[other].replaceAll(".", "\\."));
}

async function startJaegerAsMounted(): Promise<void> {
  const mounted = resolve("deploy/jaeger");
  const [flag = ""] = command("jaeger");
  const settings = readFileSync(flag.replace("--config=file:/etc/jaeger", mounted), "utf8");
  const path = join(directory(), "jaeger.yaml");
  writeFileSync(path, settings.replaceAll("/etc/jaeger", mounted));

  const child = spawn(await findJaeger(), [`--config=file:${path}`], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  const ended = new Promise((fulfil) => void child.once("close", fulfil));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const [health = ""] = textsOf(at(compose, "services", "jaeger", "healthcheck", "test")).slice(-1);
  const isHealthy = await poll(
    async () => ((await fetch(health).catch(() => undefined))?.ok === true ? true : undefined),
    DEADLINE_MS,
  );
  expect(isHealthy, said).toBe(true);
}

async function startServer(name: Name): Promise<RunningProcess> {
  const server = startProcess([
    "dist/cli.js",
    ...command(`server-${name}`).map((word) => rewrite(word, name)),
  ]);
  await server.until(/ listening on /);
  return server;
}

async function startSidecar(name: Name): Promise<RunningProcess> {
  const own = directory();
  const [run = "", flag = "", path = ""] = command(`sidecar-${name}`);
  const config = join(own, basename(path));
  writeFileSync(config, rewrite(readFileSync(`deploy/demo/${basename(path)}`, "utf8"), name));
  const sidecar = startProcess(["dist/cli.js", run, flag, config]);
  await sidecar.until(/^ready$/);
  return sidecar;
}

/** Of Jaeger's published page. */
async function ask(path: string): Promise<unknown> {
  const [published = ""] = textsOf(at(compose, "services", "jaeger", "ports"));
  const [host, port] = published.split(":");
  return ((await (await fetch(`http://${host}:${port}${path}`)).json()) as { data: unknown }).data;
}

it("traces both sidecars into one trace, which the published page gives back", async () => {
  await startJaegerAsMounted();
  const servers = [await startServer("two"), await startServer("one")];
  const sidecars = [await startSidecar("two"), await startSidecar("one")];
  await servers[1]?.until(/^transactions to 127\.0\.0\.12:8448: 200$/);

  const service = `${ADDRESSES.one}:8448 fedtrace`;
  const trace = await poll(async () => {
    const traces = (await ask(`/api/traces?service=${encodeURIComponent(service)}&limit=50`)) as
      readonly JaegerTrace[] | null;
    return traces?.find(({ spans }) => spans.length === 4);
  }, DEADLINE_MS);
  expect(trace, sidecars.flatMap(({ lines }) => lines).join("\n")).toBeDefined();
  const { spans, processes }: Pick<JaegerTrace, "spans" | "processes"> = trace ?? {
    spans: [],
    processes: {},
  };

  const parentOf = ({ references }: JaegerTrace["spans"][number]): string | undefined =>
    references[0]?.spanID;
  const told: string[] = [];
  for (let span = spans.find((one) => parentOf(one) === undefined); span !== undefined;) {
    told.push(`${processes[span.processID]?.serviceName}: ${span.operationName}`);
    const parent: string = span.spanID;
    span = spans.find((one) => parentOf(one) === parent);
  }
  expect(told).toEqual([
    "127.0.0.11:8448 fedtrace: PUT /_matrix/federation/v1/send/{txnId}",
    "127.0.0.12:8448 fedtrace: PUT /_matrix/federation/v1/send/{txnId}",
    "127.0.0.12:8448 fedtrace: GET /_matrix/key/v2/server",
    "127.0.0.11:8448 fedtrace: GET /_matrix/key/v2/server",
  ]);
  for (const running of [...servers, ...sidecars]) expect(await running.stop()).toBe(0);
});

it("serves the sampling strategies that are mounted", async () => {
  await startJaegerAsMounted();
  const port = String(
    at(
      parse(readFileSync("deploy/jaeger/jaeger.yaml", "utf8")),
      "extensions",
      "remote_sampling",
      "http",
      "endpoint",
    ),
  ).split(":")[1];
  const answer = (await (await fetch(`http://127.0.0.1:${port}/sampling?service=any`)).json()) as unknown;
  expect(answer).toMatchObject({ probabilisticSampling: { samplingRate: 1 } });
});
