/**
 * A new authority: a key on P-256 and a certificate that it signs itself.
 *
 * It may issue for servers alone (extendedKeyUsage), to no further authority (pathLenConstraint 0), and for nothing but the
 * names it is permitted, so that a stolen key is worth no more than those. Not here: files (commands/ca-init.ts).
 */

import type { Clock } from "../core/clock.ts";
import { parsePermitted } from "./constraints.ts";
import { createSerial } from "./serial.ts";

/** What is asked for. */
export interface AuthorityOrder {
  /** 1 to COMMON_NAME_LENGTH_MAX characters, none of them a control character. */
  readonly commonName: string;
  /** DNS names, each with all below it; addresses; networks. None: every name, which is worth a warning. */
  readonly permitted: readonly string[];
  /** 1 to AUTHORITY_DAYS_MAX. */
  readonly days: number;
  readonly clock: Clock;
  /** For the serial number; the default is the system's source. */
  readonly random?: (bytes: number) => Uint8Array;
}

/** What is made. */
export interface NewAuthority {
  readonly certificatePem: string;
  /** PKCS #8, secret. */
  readonly privateKeyPem: string;
}

/** RFC 5280, appendix A.1: ub-common-name. */
const COMMON_NAME_LENGTH_MAX = 64;
/** Ten years. The public web's roots have 15, but nobody hands those out by hand. */
const AUTHORITY_DAYS_MAX = 3650;

const COMMON_NAME = new RegExp(`^\\P{C}{1,${COMMON_NAME_LENGTH_MAX}}$`, "u");
const DAY_MS = 24 * 3_600_000;
/** Clients whose clock is behind. */
const BACKDATED_MS = 3_600_000;

/** What is wrong with an order. */
export interface OrderFault {
  readonly part: "commonName" | "permitted" | "days";
  /** To be read after the name of the part; without a full stop. */
  readonly message: string;
}

/** @returns every fault; none: the order can be carried out */
export function checkAuthorityOrder({ commonName, permitted, days }: AuthorityOrder): readonly OrderFault[] {
  const faults: OrderFault[] = [];
  if (!COMMON_NAME.test(commonName)) {
    const message = `has 1 to ${COMMON_NAME_LENGTH_MAX} characters, none of them a control character`;
    faults.push({ part: "commonName", message });
  }
  if (!Number.isInteger(days) || days < 1 || days > AUTHORITY_DAYS_MAX) {
    faults.push({ part: "days", message: `is a whole number from 1 to ${AUTHORITY_DAYS_MAX}` });
  }
  const parsed = permitted.length === 0 ? undefined : parsePermitted(permitted);
  if (parsed !== undefined && "refused" in parsed) {
    faults.push(...parsed.refused.map((message) => ({ part: "permitted", message }) as const));
  }
  return faults;
}

/** Takes a few milliseconds, and the time to load the library. */
export async function createAuthorityCertificate(
  order: AuthorityOrder,
): Promise<{ readonly value: NewAuthority } | { readonly refused: readonly OrderFault[] }> {
  const refused = checkAuthorityOrder(order);
  if (refused.length > 0) return { refused };
  const permitted = order.permitted.length === 0 ? undefined : parsePermitted(order.permitted);

  const [{ generateKeyPairSync }, { writeAuthority }] = await Promise.all([
    import("node:crypto"),
    import("./x509-write.ts"),
  ]);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const nowMs = Math.floor(order.clock.unixMs() / 1000) * 1000;
  const certificatePem = await writeAuthority(
    {
      commonName: order.commonName,
      constraints: permitted !== undefined && "value" in permitted ? permitted.value : undefined,
      serial: createSerial(order.random),
      notBeforeUnixMs: nowMs - BACKDATED_MS,
      notAfterUnixMs: nowMs + order.days * DAY_MS,
    },
    pair,
  );
  return {
    value: {
      certificatePem,
      privateKeyPem: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    },
  };
}
