/** The Kubernetes manifest against the program, its own parts, and a real run of the config it carries. */

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Config } from "../../src/config/merge.ts";
import { temporaryDirectory } from "../support/cli.ts";
import { startSidecar } from "../support/sidecar.ts";
import {
  at,
  commandFaults,
  configAt,
  dockerInstructions,
  FLUSH_MS,
  knownCommands,
  readYamlFiles,
  textsOf,
  type Tree,
} from "./deployment.ts";

const documents = readYamlFiles("deploy/kubernetes/homeserver.yaml");
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

function kind(name: string): Tree {
  const found = documents.filter((document) => document["kind"] === name);
  expect(found, name).toHaveLength(1);
  return found[0] ?? {};
}

const pod = at(kind("Deployment"), "spec", "template", "spec") as Tree;
const [sidecar = {}] = pod["initContainers"] as readonly Tree[];
const [homeserver = {}] = pod["containers"] as readonly Tree[];
const LABELS = at(kind("Deployment"), "spec", "template", "metadata", "labels");

/** The mounted config; `replace` is what a test machine has elsewhere. */
function configFile(replace: readonly (readonly [from: string, to: string])[] = []): string {
  const text = replace.reduce(
    (done, [from, to]) => done.replaceAll(from, to),
    String(at(kind("ConfigMap"), "data", "fedtrace.yaml")),
  );
  const path = join(temporaryDirectory(), "fedtrace.yaml");
  writeFileSync(path, text);
  return path;
}

/** The certificate is a Secret's in the cluster. */
const TLS = [
  ["/etc/fedtrace-tls/tls.crt", resolve("test/fixtures/tls/server.pem")],
  ["/etc/fedtrace-tls/tls.key", resolve("test/fixtures/tls/server.key")],
] as const;

const config = (): Promise<Config> => configAt(configFile(TLS));

it("selects its own pods everywhere", () => {
  expect(at(kind("Deployment"), "spec", "selector", "matchLabels")).toEqual(LABELS);
  expect(at(kind("Service"), "spec", "selector")).toEqual(LABELS);
  expect(at(kind("NetworkPolicy"), "spec", "podSelector", "matchLabels")).toEqual(LABELS);
});

describe("the sidecar", () => {
  it("is a native one, of this version's image, with a command that exists", async () => {
    expect(sidecar["restartPolicy"]).toBe("Always");
    expect(sidecar["image"]).toBe(`fedtrace:${version}`);
    const args = textsOf(sidecar["args"]);
    expect(commandFaults(await knownCommands(), args)).toEqual([]);
    const mount = at(sidecar, "volumeMounts", 0) as Tree;
    const [key = ""] = Object.keys(at(kind("ConfigMap"), "data") as Tree);
    expect(args).toEqual(["run", "--config", `${String(mount["mountPath"])}/${key}`]);
  });

  it("mounts volumes that the pod has, from objects that are named", () => {
    const names = (pod["volumes"] as readonly Tree[]).map(({ name }) => name);
    for (const container of [sidecar, homeserver]) {
      for (const mount of container["volumeMounts"] as readonly Tree[])
        expect(names).toContain(mount["name"]);
    }
    expect(at(pod, "volumes", 0, "configMap", "name")).toBe(at(kind("ConfigMap"), "metadata", "name"));
    const tls = String(at(sidecar, "volumeMounts", 1, "mountPath"));
    expect(at(kind("ConfigMap"), "data", "fedtrace.yaml")).toContain(
      `certificate: ${tls}/tls.crt, private_key: ${tls}/tls.key`,
    );
  });

  it("names the ports that its config listens on, where the node and peers can reach them", async () => {
    const { inbound, admin } = await config();
    expect(sidecar["ports"]).toEqual([
      { name: "federation", containerPort: inbound?.listen.port },
      { name: "admin", containerPort: admin?.listen.port },
    ]);
    expect([inbound?.listen.host, admin?.listen.host]).toEqual(["0.0.0.0", "0.0.0.0"]);
    expect(inbound?.upstream).toEqual([
      {
        kind: "tcp",
        host: "127.0.0.1",
        port: at(homeserver, "ports", 0, "containerPort"),
      },
    ]);
  });

  it("has probes that a real run answers, by the pod's address", async () => {
    const running = await startSidecar(
      {},
      { configPath: configFile([...TLS, ["0.0.0.0:8448", "127.0.0.1:0"], ["0.0.0.0:9470", "127.0.0.1:0"]]) },
    );
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      expect(at(sidecar, probe, "httpGet", "port"), probe).toBe("admin");
      const path = String(at(sidecar, probe, "httpGet", "path"));
      const response = await fetch(`http://127.0.0.1:${running.port.admin}${path}`);
      expect(response.status, path).toBe(200);
    }
    expect(await running.stop()).toBe(0);
  });

  it("may be slow to start and to stop", async () => {
    const { limits } = await config();
    expect(Number(pod["terminationGracePeriodSeconds"]) * 1000).toBeGreaterThan(limits.drainMs + FLUSH_MS);
    const { periodSeconds, failureThreshold } = sidecar["startupProbe"] as Record<string, number>;
    expect((periodSeconds ?? 0) * (failureThreshold ?? 0)).toBeGreaterThanOrEqual(10);
  });
});

it("gives no container a privilege, and the sidecar the image's own user", () => {
  const [user, group] = (
    dockerInstructions(readFileSync("deploy/Dockerfile", "utf8")).find(({ name }) => name === "USER")?.text ??
    ""
  )
    .split(":")
    .map(Number);
  for (const container of [sidecar, homeserver]) {
    expect(container["securityContext"]).toEqual({
      runAsUser: user,
      runAsGroup: group,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(at(container, "resources", "requests", "memory")).toMatch(/^\d+Mi$/);
  }
  expect(pod["securityContext"]).toMatchObject({
    runAsNonRoot: true,
    fsGroup: group,
    seccompProfile: { type: "RuntimeDefault" },
  });
});

it("offers peers and clients their ports, and the admin port to monitoring alone", async () => {
  const { inbound, admin } = await config();
  const named = [sidecar, homeserver].flatMap((container) => container["ports"] as readonly Tree[]);
  for (const port of at(kind("Service"), "spec", "ports") as readonly Tree[]) {
    expect(named).toContainEqual({ name: port["targetPort"], containerPort: port["port"] });
  }
  const [open, monitoring] = at(kind("NetworkPolicy"), "spec", "ingress") as readonly Tree[];
  expect(open).toEqual({
    ports: [{ port: inbound?.listen.port }, { port: at(homeserver, "ports", 0, "containerPort") }],
  });
  expect(monitoring?.["ports"]).toEqual([{ port: admin?.listen.port }]);
  expect(at(monitoring, "from", 0, "namespaceSelector", "matchLabels")).toBeDefined();
});
