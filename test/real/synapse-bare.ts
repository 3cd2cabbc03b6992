/**
 * A real Synapse that federates by itself, over TLS of its own: the other side of one behind a sidecar, or the measure of it.
 *
 * Its name is an address with a port, which needs no DNS; `federation_custom_ca_list` has it trust the test's authority.
 */

import { onTestFinished } from "vitest";
import { fixture } from "./homeserver-pair.ts";
import { type Homeserver, startHomeserver } from "./synapse.ts";

/** Ends with the test. @param python findSynapse().path @param port of its name @param certificate the name of its files */
export async function startBare(
  python: string,
  port: number,
  certificate: "hs1" | "hs2",
): Promise<Homeserver> {
  const homeserver = await startHomeserver({
    python,
    serverName: `127.0.0.1:${port}`,
    federationTls: {
      port,
      certificate: fixture(`${certificate}.pem`),
      privateKey: fixture(`${certificate}.key`),
    },
    extra: { federation_custom_ca_list: [fixture("ca.pem")] },
  });
  onTestFinished(() => homeserver.stop());
  return homeserver;
}
