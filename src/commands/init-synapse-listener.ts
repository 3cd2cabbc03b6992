/**
 * Where the sidecar stands in front of a Synapse: which of its listeners is the server behind, and who terminates TLS.
 *
 * Source: https://element-hq.github.io/synapse/latest/usage/configuration/config_documentation.html#listeners
 */

import { dirname, resolve } from "node:path";
import { isMapping, type KeyPath, type Mapping } from "../config/key-path.ts";
import { inBrackets } from "../core/host.ts";
import { DEFAULT_DRAFT, type Draft } from "./init-draft.ts";
import { faultOf } from "./init-rules.ts";

/** Told of what could not be taken over, or needs a change in Synapse. */
export type AddNote = (path: KeyPath, message: string) => void;

interface SynapseListener {
  readonly path: KeyPath;
  readonly port: number | undefined;
  readonly socket: string | undefined;
  readonly addresses: readonly string[];
  readonly resources: readonly string[];
  readonly isTls: boolean;
  readonly isForwarded: boolean;
}

const FEDERATION_PORT = 8448;
/** Ports that a plain listener and a sidecar behind another proxy may take, beside Synapse's own 8008 and 8448. */
const PLAIN_PORT = 8011;
const BEHIND_PROXY_PORT = 8449;

/** @param document the whole homeserver.yaml, parsed */
export function placeInFront(
  document: Mapping,
  synapsePath: string,
  note: AddNote,
): Pick<Draft, "listen" | "upstream" | "tls"> {
  const listeners = federationListeners(document);
  const plain = listeners.find(({ isTls }) => !isTls);
  const encrypted = listeners.find(({ isTls }) => isTls);
  if (plain === undefined && encrypted === undefined) {
    note(
      "listeners" in document ? ["listeners"] : [],
      `has no listener of type http with the resource federation in this file, so inbound.upstream is a guess: ${DEFAULT_DRAFT.upstream}`,
    );
  }
  const upstream = upstreamOf(plain, encrypted, note);
  const tls = tlsOf(document, synapsePath, note);
  if (plain !== undefined && encrypted !== undefined) {
    note(encrypted.path, "is Synapse's own TLS listener: remove it, so that peers come by the sidecar alone");
  }
  return { upstream, tls, listen: listenOf(tls, plain, encrypted, note) };
}

function upstreamOf(
  plain: SynapseListener | undefined,
  encrypted: SynapseListener | undefined,
  note: AddNote,
): string {
  if (plain !== undefined) {
    if (!plain.isForwarded)
      note(plain.path, "needs x_forwarded: true, or Synapse takes the sidecar for every peer");
    return addressOf(plain, note);
  }
  if (encrypted === undefined) return DEFAULT_DRAFT.upstream;
  note(
    encrypted.path,
    `has tls: true, and the sidecar speaks plain HTTP to the server behind: replace this listener by { port: ${PLAIN_PORT}, bind_addresses: ['127.0.0.1'], type: http, tls: false, x_forwarded: true, resources: [{ names: [${encrypted.resources.join(", ")}] }] }`,
  );
  return `http://127.0.0.1:${PLAIN_PORT}`;
}

function addressOf({ path, socket, port, addresses }: SynapseListener, note: AddNote): string {
  const own = addresses.find((address) => address.startsWith("127.")) ?? addresses[0] ?? "";
  const isEverywhere = own === "" || own === "0.0.0.0" || own === "::";
  if (isEverywhere && socket === undefined) {
    note(
      path,
      "listens on every address, so a peer can go around the sidecar: set bind_addresses: ['127.0.0.1']",
    );
  }
  const host = isEverywhere ? "127.0.0.1" : inBrackets(own);
  const upstream = socket === undefined ? `http://${host}:${port ?? ""}` : `unix:${socket}`;
  const fault = faultOf({ inbound: { upstream } }, "inbound.upstream");
  if (fault === undefined) return upstream;
  note(path, `can't be the server behind: as inbound.upstream it ${fault}`);
  return DEFAULT_DRAFT.upstream;
}

function tlsOf(document: Mapping, synapsePath: string, note: AddNote): Draft["tls"] {
  const { tls_certificate_path: certificate, tls_private_key_path: privateKey } = document;
  if (typeof certificate !== "string" || typeof privateKey !== "string") return undefined;
  if (certificate === "" || privateKey === "") return undefined;
  const directory = dirname(synapsePath);
  const tls = { certificate: resolve(directory, certificate), privateKey: resolve(directory, privateKey) };
  const section = { inbound: { tls: { certificate: tls.certificate, private_key: tls.privateKey } } };
  const certificateFault = faultOf(section, "inbound.tls.certificate");
  const keyFault = faultOf(section, "inbound.tls.private_key");
  if (certificateFault !== undefined) {
    note(
      ["tls_certificate_path"],
      `${certificateFault}; inbound.tls stands as a comment till it can be read`,
    );
  }
  if (keyFault !== undefined) {
    note(["tls_private_key_path"], `${keyFault}; inbound.tls stands as a comment till it can be read`);
  }
  return { ...tls, isOff: certificateFault !== undefined || keyFault !== undefined };
}

/** Every address only where the sidecar terminates TLS itself: peers speak nothing else. */
function listenOf(
  tls: Draft["tls"],
  plain: SynapseListener | undefined,
  encrypted: SynapseListener | undefined,
  note: AddNote,
): string {
  const taken = plain?.port;
  if (tls !== undefined && tls.isOff !== true) {
    const port = encrypted?.port ?? FEDERATION_PORT;
    if (taken === port) {
      note(
        plain?.path ?? [],
        `takes port ${port}, where the sidecar is to listen: move it to 127.0.0.1:${PLAIN_PORT}, and inbound.upstream with it`,
      );
    }
    return `0.0.0.0:${port}`;
  }
  const listen = `127.0.0.1:${taken === FEDERATION_PORT ? BEHIND_PROXY_PORT : FEDERATION_PORT}`;
  note(
    plain?.path ?? encrypted?.path ?? [],
    `is reached by peers through another proxy, as this file has no certificate that the sidecar can use: let that proxy pass /_matrix/federation and /_matrix/key to ${listen}; or give the sidecar a certificate (inbound.tls) and let it listen on 0.0.0.0:${FEDERATION_PORT}`,
  );
  return listen;
}

function federationListeners(document: Mapping): readonly SynapseListener[] {
  const { listeners } = document;
  if (!Array.isArray(listeners)) return [];
  return listeners
    .map((item: unknown, index) => readListener(item, ["listeners", index]))
    .filter((listener) => listener !== undefined);
}

function readListener(item: unknown, path: KeyPath): SynapseListener | undefined {
  if (!isMapping(item) || item["type"] !== "http") return undefined;
  const resources = listOf(item["resources"]).flatMap((one) => (isMapping(one) ? textsOf(one["names"]) : []));
  if (!resources.includes("federation")) return undefined;
  const { port, path: socket, bind_address: address } = item;
  const hasSocket = typeof socket === "string" && socket !== "";
  return {
    path,
    port: typeof port === "number" ? port : undefined,
    socket: hasSocket ? socket : undefined,
    addresses: [...textsOf(item["bind_addresses"]), ...textsOf(address)],
    resources: resources.filter((name) => /^[a-z_]+$/.test(name)),
    isTls: isOn(item["tls"]),
    isForwarded: isOn(item["x_forwarded"]) || (hasSocket && item["x_forwarded"] === undefined),
  };
}

/** Synapse reads YAML 1.1, whose words for true are more; our reader leaves those as text. */
export function isOn(value: unknown): boolean {
  return value === true || (typeof value === "string" && /^(?:yes|on|true|y)$/i.test(value));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The texts of a list, or the one text that stands in its place. */
function textsOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value]).filter((item: unknown) => typeof item === "string");
}
