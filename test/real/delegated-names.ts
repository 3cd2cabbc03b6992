/**
 * Names without a port, as most real servers have them, and what leads from them to a server on 127.0.0.1:
 *
 * ```
 *   srv          _matrix-fed._tcp.hs1.test ──► edge.hs1.test, port; nothing answers on port 443 of hs1.test
 *                the same for hs2
 *   well-known   https://hs1.test/.well-known/matrix/server ──► matrix.hs1.test:port
 *                https://hs2.test/.well-known/matrix/server ──► matrix.hs2.test
 *                                             _matrix-fed._tcp.matrix.hs2.test ──► edge.hs2.test, port
 * ```
 * https://spec.matrix.org/v1.16/server-server-api/#resolving-server-names. The other steps: test/discovery.
 */

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { onTestFinished } from "vitest";
import type { DnsRecords, DnsServer } from "../support/dns-server.ts";
import { fixture } from "./homeserver-pair.ts";

export type Delegation = "srv" | "well-known";

/** Web servers of the names. Their port 443 is closed where `Delegation` has none answer. */
const WEB = { hs1: "127.0.0.11", hs2: "127.0.0.12" } as const;
const HERE: DnsRecords = { A: ["127.0.0.1"] };

/** Until the test ends. @param ports of 127.0.0.1, by label of the server */
export async function delegate(
  delegation: Delegation,
  ports: Readonly<Record<"hs1" | "hs2", number>>,
  dns: DnsServer,
): Promise<void> {
  const web = { "hs1.test": { A: [WEB.hs1] }, "hs2.test": { A: [WEB.hs2] } };
  if (delegation === "srv") {
    dns.setZone({
      ...web,
      "edge.hs1.test": HERE,
      "edge.hs2.test": HERE,
      "_matrix-fed._tcp.hs1.test": service(ports.hs1, "edge.hs1.test"),
      "_matrix-fed._tcp.hs2.test": service(ports.hs2, "edge.hs2.test"),
    });
    return;
  }
  dns.setZone({
    ...web,
    "matrix.hs1.test": HERE,
    "edge.hs2.test": HERE,
    "_matrix-fed._tcp.matrix.hs2.test": service(ports.hs2, "edge.hs2.test"),
  });
  await startWellKnown("hs1", `matrix.hs1.test:${ports.hs1}`);
  await startWellKnown("hs2", "matrix.hs2.test");
}

function service(port: number, target: string): DnsRecords {
  return { SRV: [[0, 0, port, target]] };
}

/** @throws Error with what to do, where port 443 can't be had: .well-known is asked for nowhere else */
async function startWellKnown(label: "hs1" | "hs2", server: string): Promise<void> {
  const files = { cert: readFileSync(fixture(`${label}.pem`)), key: readFileSync(fixture(`${label}.key`)) };
  const web = createServer(files, ({ url, headers }, answer) => {
    const isAskedFor = url === "/.well-known/matrix/server" && headers.host === `${label}.test`;
    answer.writeHead(isAskedFor ? 200 : 404, { "content-type": "application/json" });
    answer.end(JSON.stringify(isAskedFor ? { "m.server": server } : {}));
  });
  await new Promise<void>((resolve, reject) => {
    web.once("error", (cause) => {
      const advice = "be root, or set net.ipv4.ip_unprivileged_port_start to 443 or less";
      reject(new Error(`.well-known needs port 443 of ${WEB[label]}: ${advice}`, { cause }));
    });
    web.listen(443, WEB[label], resolve);
  });
  onTestFinished(() => {
    web.close();
    web.closeAllConnections();
  });
}
