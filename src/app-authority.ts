/** The authority of `outbound.intercept`, from its files: for `check` as for the start. A part of the composition root (app.ts). */

import type { Authority, AuthorityWarning } from "./authority/authority.ts";
import { readCertificates, readPrivateKey } from "./config/files.ts";
import type { InterceptCheck } from "./config/load.ts";
import type { Config } from "./config/merge.ts";
import type { Clock } from "./core/clock.ts";

type InterceptConfig = NonNullable<NonNullable<Config["outbound"]>["intercept"]>;

interface AuthorityFileFault {
  /** As the key stands in `outbound.intercept`. */
  readonly key: "ca_certificate" | "ca_private_key";
  /** To be read after the key. */
  readonly message: string;
}

const KEY_OF = { certificate: "ca_certificate", "private key": "ca_private_key" } as const;

/** The library behind it is loaded with the first call. Never rejects for what stands in the files. */
export async function readAuthority(
  { caCertificateFile, caPrivateKeyFile }: InterceptConfig,
  clock: Clock,
): Promise<{ readonly value: Authority } | { readonly faults: readonly AuthorityFileFault[] }> {
  const certificate = readCertificates(caCertificateFile);
  const key = readPrivateKey(caPrivateKeyFile);
  if ("refused" in certificate || "refused" in key) {
    const faults: AuthorityFileFault[] = [];
    if ("refused" in certificate) faults.push({ key: "ca_certificate", message: certificate.refused });
    if ("refused" in key) faults.push({ key: "ca_private_key", message: key.refused });
    return { faults };
  }
  // Most sidecars look into no tunnel; whoever does waits for two files more.
  const { loadAuthority } = await import("./authority/authority.ts");
  const loaded = await loadAuthority(
    {
      certificatePem: certificate.value.pem.toString("latin1"),
      privateKeyPem: key.value.pem.toString("latin1"),
    },
    clock,
  );
  if ("value" in loaded) return loaded;
  return { faults: loaded.faults.map(({ about, message }) => ({ key: KEY_OF[about], message })) };
}

const DOUBTS: Readonly<Record<AuthorityWarning, string>> = {
  expired: "names an authority that is over: no tunnel can be looked into",
  "not-yet-valid": "names an authority that is not valid yet: no tunnel can be looked into",
  "expires-soon": "names an authority that is over within a month",
};

/** What load.ts asks of the authority. */
export async function checkAuthority(intercept: InterceptConfig, clock: Clock): Promise<InterceptCheck> {
  const read = await readAuthority(intercept, clock);
  if ("faults" in read) return { faults: read.faults, doubt: undefined };
  const warning = read.value.warning();
  return { faults: [], doubt: warning && DOUBTS[warning] };
}
