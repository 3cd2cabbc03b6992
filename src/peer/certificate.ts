/**
 * The servers that a TLS client certificate names, from its subject alternative names.
 *
 * Source: `subjectaltname` of node:tls `getPeerCertificate()`, one text made of all names. A name may hold what
 * separates names, which once let a certificate claim more than its authority had signed (CVE-2021-44532);
 * since then Node quotes such names. No server name needs a quote, so a quoted one is passed over, and a text
 * with a quote in any other place names nobody.
 * Not here: verification. Give only certificates of sockets that are `authorized`. The common name, e-mail and
 * IP address entries, and wildcards name no server.
 */

import { parseServerName, parseUrlServer, type ServerName } from "./server-name.ts";

/** More names than any one server has; the rest is not looked at. */
const NAMES_MAX = 100;

/** `DNS:"…"`, quoted from the first colon to the end, quotes inside escaped. */
const QUOTED_ENTRY = /^[^":]*:"(?:[^"\\]|\\.)*"$/;

/**
 * @param subjectAltName `DNS:hs1.test, URI:https://hs1.test/`; undefined where the certificate has none
 * @returns the names in their order, without repeats. Never throws: the peer chose them.
 */
export function parseCertificateNames(subjectAltName: string | undefined): readonly string[] {
  if (subjectAltName === undefined) return [];
  const names = new Set<string>();
  for (const entry of subjectAltName.split(", ")) {
    if (entry.includes('"')) {
      if (!QUOTED_ENTRY.test(entry)) return []; // The comma split a quoted name: what follows is not ours to read.
      continue;
    }
    const server = entryServer(entry);
    if (server !== undefined && names.size < NAMES_MAX) names.add(server.name);
  }
  return [...names];
}

function entryServer(entry: string): ServerName | undefined {
  const colon = entry.indexOf(":");
  const value = entry.slice(colon + 1);
  switch (entry.slice(0, colon)) {
    case "DNS": {
      const server = parseServerName(value);
      return server?.port === undefined ? server : undefined;
    }
    case "URI":
      return parseUrlServer(value);
    default:
      return undefined;
  }
}
