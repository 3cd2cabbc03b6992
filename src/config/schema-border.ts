/** The options of the border: `inbound` and `propagation`; `whitelist` and `outbound` have files of their own. */

import { formatUpstream } from "./addresses.ts";
import { keys } from "./schema-keys.ts";
import { defaulted, list, map, type Option, optional, required, section } from "./schema-option.ts";
import { proxyProtocol, trustedProxies } from "./schema-proxies.ts";
import {
  filePath,
  listenAddressOrSocket,
  network,
  NETWORKS_MAX,
  oneOf,
  serverName,
  size,
  text,
  upstreams,
} from "./schema-values.ts";
import { PROOF_WORDS } from "./schema-whitelist.ts";

/** Servers with networks of their own. */
const NETWORK_NAMES_MAX = 1000;
/** Names that may be added to the table of trace headers. */
const REMOVED_NAMES_MAX = 100;

/** TLS certificates beside the main one; each takes some milliseconds to read again. */
const CERTIFICATES_MAX = 100;

/** Header formats as `propagation.formats` names them, in the order of the default. */
const FORMATS = ["w3c", "jaeger", "b3", "b3multi"] as const;
export type FormatName = (typeof FORMATS)[number];

/** Removing one of these would break messages, or what they are signed with. */
const KEPT_HEADERS: ReadonlySet<string> = new Set(
  (
    "host connection content-length transfer-encoding trailer te upgrade expect date " +
    "authorization signature signature-input digest content-digest"
  ).split(" "),
);

const furtherCertificate = section(
  {
    certificate: required(filePath(), {
      reload: "live",
      doc: "PEM file with a certificate, then its intermediates. Its DNS names (subject alternative names) say for which names it is taken.",
      example: "other.example/fullchain.pem",
    }),
    private_key: required(filePath(), {
      reload: "live",
      doc: "PEM file with its private key, without a passphrase.",
      example: "other.example/key.pem",
    }),
  },
  (file) => ({ certificateFile: file.certificate, privateKeyFile: file.private_key }),
);

const tls = section(
  {
    certificate: required(filePath(), {
      reload: "live",
      doc: "PEM file with the server's certificate, then its intermediates. Clients get it unless they ask for a name of `certificates`. It is read again when it is renewed, without a restart and without touching open connections: when a file here changes, within a minute where changes can't be seen, and on SIGHUP. A pair that does not match yet, is damaged or is out of date is not taken: the old one stays, and the log says why.",
      example: "fullchain.pem",
    }),
    private_key: required(filePath(), {
      reload: "live",
      doc: "PEM file with the certificate's private key, without a passphrase. Read again with it.",
      example: "key.pem",
    }),
    certificates: defaulted(list(furtherCertificate, CERTIFICATES_MAX), [], {
      reload: "live",
      doc: "More certificates, each for the DNS names it is issued for: the name that a client asks for (SNI) is looked for as it is, then with `*` for its first label; the first entry that has it counts. A client that asks for no name, or for one that none has, gets `certificate`.",
      example: "[{ certificate: other.pem, private_key: other.key }]",
    }),
    client_ca: optional(filePath(), {
      reload: "live",
      doc: "PEM file with the certificate authorities of peers. With it a client certificate is asked for (never demanded), and a verified one names the peer by its DNS names. The system's roots are not used for this. It is read again like `certificate`; when it has changed, no TLS session of before is resumed.",
      example: "peers-ca.pem",
    }),
  },
  (file) => ({
    certificateFile: file.certificate,
    privateKeyFile: file.private_key,
    clientCaFile: file.client_ca,
    certificates: file.certificates,
  }),
);

const networks: Option<Readonly<Record<string, readonly string[]>>> = map(
  serverName(),
  list(network(), NETWORKS_MAX),
  NETWORK_NAMES_MAX,
);

const identify = list(oneOf(["x-matrix", "http-signature", "mtls", "address"]), 4);

/** Remote peers → this server. */
export const inbound = section(
  {
    listen: required(listenAddressOrSocket(), {
      reload: "restart",
      doc: "Where remote peers connect: `host:port`, or `unix:/path.sock` behind a proxy on the same machine. With port 0 the system chooses; the port is on the line `inbound listening on …`. A socket has mode 0660; a file that a killed process left is replaced.",
      example: "0.0.0.0:8448",
    }),
    upstream: required(upstreams(), {
      reload: "live",
      doc: "The server behind, or a list of up to 16 that are one server: each request goes to the one with the fewest open requests. It is spoken to in plain HTTP/1.1, so it belongs on the same machine or network. A name is looked up at the start, every 30 s, and when an address can't be reached; each of its addresses counts as one server, 64 at most. One that can't be reached, or gives no answer five times in a row, is left alone for 1 s, then up to 30 s, unless there is no other. A request that could not be sent goes to the next one; an idempotent one whose kept connection turns out closed is sent once more. **Danger:** whatever answers here is believed to be the own server.",
      example: "http://127.0.0.1:8008",
    }),
    tls: optional(tls, {
      reload: "restart",
      doc: "Terminates TLS 1.2 and 1.3 on the listener, for HTTP/1.1. Without it the listener is plain, for use behind another proxy.",
    }),
    trusted_proxies: trustedProxies,
    proxy_protocol: proxyProtocol,
    identify: defaulted(identify, ["x-matrix", "http-signature", "mtls", "address"], {
      reload: "live",
      doc: "Where a peer's name comes from; the first that gives one is taken.",
    }),
    authenticate: defaulted(oneOf(PROOF_WORDS), "signature", {
      reload: "live",
      doc: "The least proof that a name needs before the whitelist counts for it; what proves more is enough as well. `signature`: X-Matrix, or an HTTP signature, verified with the peer's own key. No request waits for a key: until a peer's is known its requests begin new traces. `mtls`: a verified client certificate with that name. `network`: an address of its `networks`. **Danger:** with `claimed` the name is what the peer says, and anyone can borrow a whitelisted one; only trace context is at stake, but `trust` entries then give strangers sampling too.",
    }),
    authenticate_body_limit: defaulted(size("0B", "1MiB"), "64KiB", {
      reload: "live",
      doc: "X-Matrix signs the body, so a whitelisted peer's request is held until its body is there, up to this many bytes (chunk sizes included); then it is verified and forwarded. A longer body is forwarded as it comes, in a new trace. `0B` holds none. All held bodies together keep at most 16 MiB; above it the one that was held longest goes on. Verifying takes about 0.2 ms of CPU with a small body, and 1 ms with one of 64 KiB (5 ms where somebody makes it as costly as may be; larger bodies with wrong signatures are looked at up to half a mebibyte a second).",
    }),
    keys: defaulted(
      keys,
      {},
      {
        reload: "live",
        doc: "Where the keys of peers come from. Each is asked of its own server, over verified TLS, and kept as long as that says.",
      },
    ),
    networks: defaulted(
      networks,
      {},
      {
        reload: "live",
        doc: "Server names and the networks they call from: `address` takes the name from here, and `network` is the proof that a name and its network agree. **Danger:** behind another proxy every peer has the proxy's address, unless `trusted_proxies` has that.",
        example: "{ relay.example: [10.1.0.0/16] }",
      },
    ),
  },
  (file, refuse) => {
    if (file.authenticate === "mtls" && file.tls?.clientCaFile === undefined) {
      refuse("authenticate", "is mtls without inbound.tls.client_ca; allowed: mtls with it");
    }
    refuseRepeated(file.identify, (message) => refuse("identify", message));
    refuseRepeated(file.upstream.map(formatUpstream), (message) => refuse("upstream", message));
    if (file.proxy_protocol && file.trusted_proxies.length === 0) {
      refuse(
        "proxy_protocol",
        "is true without inbound.trusted_proxies; allowed: true with the proxies that send it",
      );
    }
    const { authenticate_body_limit, trusted_proxies, proxy_protocol, ...rest } = file;
    return {
      ...rest,
      authenticateBodyMax: authenticate_body_limit,
      trustedProxies: trusted_proxies,
      proxyProtocol: proxy_protocol,
    };
  },
);

const removedName: Option<string> = text(
  "a header name that neither frames nor signs messages",
  (written) => {
    const name = written.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) return { refused: "is not a header name" };
    // A `*` at the end means every name that starts so; without a beginning that is every header there is.
    if (name === "*") return { refused: "is every header; write at least the beginning of a name" };
    return KEPT_HEADERS.has(name)
      ? { refused: "is a header that messages or signatures need" }
      : { value: name };
  },
);

/** Formats of trace context. `formats` is undefined where the file doesn't say. */
export const propagation = section(
  {
    formats: optional(list(oneOf(FORMATS), FORMATS.length), {
      reload: "live",
      doc: "Header formats. The first in this order that arrived valid is the parent; all are written. `b3` writes the single header, `b3multi` the `x-b3-*` ones, and either reads both. An empty list lets no context cross.",
      byDefault: "`OTEL_PROPAGATORS`, else `[w3c, jaeger, b3]`",
      example: "[w3c, jaeger]",
    }),
    remove: defaulted(list(removedName, REMOVED_NAMES_MAX), [], {
      reload: "live",
      doc: "More header names to treat as trace headers: removed from whatever crosses the border. A `*` at the end stands for any rest.",
      example: "[x-request-id]",
    }),
    outbound_ids: defaulted(oneOf(["shared", "per_peer"]), "shared", {
      reload: "live",
      doc: "`shared`: every whitelisted server is given our trace id, so those that get the same message can tell that it is one. `per_peer`: each is given a trace id of its own, a keyed hash of ours and its name (with its port), and no `tracestate`; our client span keeps our ids, links to the peer's and names it in `fedtrace.peer.trace_id`, so search and trace page find either by the other. It costs some 4 µs a request. The key is random and lives as long as the process: after a restart the same trace has other ids. What else is the same everywhere still passes: `x-request-id` and its like unless `remove` names them, and contexts inside signed bodies.",
    }),
  },
  (file, refuse) => {
    refuseRepeated(file.formats ?? [], (message) => refuse("formats", message));
    return { formats: file.formats, remove: file.remove, outboundIds: file.outbound_ids };
  },
);

function refuseRepeated(words: readonly string[], refuse: (message: string) => void): void {
  const repeated = words.find((word, index) => words.indexOf(word) !== index);
  if (repeated !== undefined) refuse(`names ${repeated} more than once; allowed: each once`);
}
