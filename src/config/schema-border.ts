/** The options of the border: `inbound`, `outbound`, `whitelist` and `propagation`. */

import { formatUpstream } from "./addresses.ts";
import { defaulted, list, map, type Option, optional, orShort, required, section } from "./schema-option.ts";
import {
  addressEndpoint,
  decimal,
  filePath,
  hostName,
  integer,
  listenAddressOrSocket,
  network,
  oneOf,
  secret,
  serverName,
  text,
  upstreams,
} from "./schema-values.ts";

/** Networks of one list; a list that long is a firewall's work. */
const NETWORKS_MAX = 1000;
/** Servers with networks of their own. */
const NETWORK_NAMES_MAX = 1000;
/** peer/pattern.ts compiles no more into its union. */
const WHITELIST_MAX = 1000;
/** Names that may be added to the table of trace headers. */
const REMOVED_NAMES_MAX = 100;
/** More forced traces a second than this are not forced but usual: the local sampler is the place. */
const FORCED_PER_SECOND_MAX = 10_000;

/** Hosts with pins are exceptions; each has a certificate, its successor, and some to spare. */
const PINNED_HOSTS_MAX = 100;
const PINS_MAX = 8;
/** As many as are known to belong to another protocol, and some. */
const PORTS_MAX = 100;

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
    identify: defaulted(identify, ["x-matrix", "http-signature", "mtls", "address"], {
      reload: "live",
      doc: "Where a peer's name comes from; the first that gives one is taken.",
    }),
    authenticate: defaulted(oneOf(["signature", "mtls", "network", "claimed"]), "claimed", {
      reload: "live",
      doc: "The least proof that a name needs before the whitelist counts for it. **Danger:** with `claimed` the name is what the peer says, and anyone can borrow a whitelisted one; only trace context is at stake, but `trust` entries then give strangers sampling too.",
    }),
    networks: defaulted(
      networks,
      {},
      {
        reload: "live",
        doc: "Server names and the networks they call from: `address` takes the name from here, and `network` is the proof that a name and its network agree. **Danger:** behind another proxy every peer has the proxy's address.",
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
    return file;
  },
);

const intercept = section(
  {
    ca_certificate: required(filePath(), {
      reload: "restart",
      doc: "PEM file with the certificate of the authority that the own server trusts.",
    }),
    ca_private_key: required(filePath(), {
      reload: "restart",
      doc: "PEM file with its key. **Danger:** who has it can impersonate every server towards the own one.",
    }),
    hosts: optional(
      list(
        text("a host name, or a glob such as '*.example.net'", (value) => ({ value })),
        WHITELIST_MAX,
      ),
      {
        reload: "restart",
        doc: "Targets of CONNECT to look into, by the host that CONNECT names; all other tunnels pass unopened. Leave out what does not trust the authority: Synapse's push and OpenID requests, say. A host that the authority's name constraints leave out passes unopened too.",
        byDefault: "every target",
        example: "['*.example.net', matrix.friends.example]",
      },
    ),
  },
  (file) => ({
    caCertificateFile: file.ca_certificate,
    caPrivateKeyFile: file.ca_private_key,
    hosts: file.hosts,
  }),
);

const outboundTls = section(
  {
    certificate: required(filePath(), {
      reload: "live",
      doc: "PEM file with the certificate that the own server sees, then its intermediates. It is read again when it is renewed, as `inbound.tls.certificate` is.",
      example: "proxy.pem",
    }),
    private_key: required(filePath(), {
      reload: "live",
      doc: "PEM file with its private key, without a passphrase.",
      example: "proxy.key",
    }),
  },
  (file) => ({
    certificateFile: file.certificate,
    privateKeyFile: file.private_key,
    clientCaFile: undefined,
    certificates: [],
  }),
);

const FINGERPRINT = /^[0-9a-f]{64}$/;
const fingerprint = text(
  "a SHA-256 fingerprint of a certificate: 64 hexadecimal digits, colons between pairs or not",
  (written) => {
    const digits = written.replaceAll(":", "").toLowerCase();
    return FINGERPRINT.test(digits) ? { value: digits } : { refused: "is not a SHA-256 fingerprint" };
  },
);
const pins: Option<Readonly<Record<string, readonly string[]>>> = map(
  hostName(),
  list(fingerprint, PINS_MAX, 1),
  PINNED_HOSTS_MAX,
);

/** This server → remote peers. */
export const outbound = section(
  {
    listen: required(listenAddressOrSocket(), {
      reload: "restart",
      doc: "Where the own server connects, as to a forward proxy: `host:port`, or `unix:/path.sock`. It takes `matrix-federation://`, `https://` and `http://` targets and CONNECT, in HTTP/1.0 and 1.1. **Danger:** keep it on loopback, or set `shared_secret`.",
      example: "127.0.0.1:3128",
    }),
    tls: optional(outboundTls, {
      reload: "restart",
      doc: "Terminates TLS on the listener: for an own server that is on another machine (`tls: true` in Synapse's `instance_map`). It has nothing to do with TLS to remote peers.",
    }),
    shared_secret: optional(secret(), {
      reload: "live",
      doc: "Compared with `Proxy-Authorization: Bearer …`, or with the password of `Basic` (`http_proxy=http://any:SECRET@127.0.0.1:3128`), which is then removed; a wrong one is answered 407. Without it whoever reaches the port may use it. Take it from the environment rather than write it here.",
      example: "${FEDTRACE_SECRET}",
    }),
    ca_file: optional(filePath(), {
      reload: "restart",
      doc: "PEM file with certificate authorities, added to the system's roots when targets are verified (`SSL_CERT_FILE`, else the file where the system's distribution keeps them, else those that come with Node). Every https target and Matrix server is verified, with TLS 1.2 at least; no option turns that off.",
      example: "extra-roots.pem",
    }),
    pins: defaulted(
      pins,
      {},
      {
        reload: "restart",
        doc: "Hosts whose certificate is known beforehand: one of these fingerprints must be its, and then no authority is asked, nor its dates and names. For tests, and for a peer without an authority. The host is the one that the certificate would be for, after delegation, without a port. `openssl x509 -noout -fingerprint -sha256 -in cert.pem` prints one.",
        example: "{ hs2.test: ['AB:CD:…'] }",
      },
    ),
    intercept: optional(intercept, {
      reload: "restart",
      doc: "Opens CONNECT tunnels with certificates of an own authority, to see the requests inside.",
    }),
    allow_networks: defaulted(list(network(), NETWORKS_MAX), [], {
      reload: "live",
      doc: "Private, loopback and link-local networks that may be targets all the same. **Danger:** what is listed here can be reached by whatever makes the own server send a request.",
      example: "[10.0.0.0/8]",
    }),
    allow_ports: defaulted(list(integer(1, 65_535), PORTS_MAX), [], {
      reload: "live",
      doc: "Ports that may be targets although they belong to another protocol (25, 6667 and the others of https://fetch.spec.whatwg.org/#bad-port, which browsers refuse too).",
      example: "[6000]",
    }),
    resolver: optional(addressEndpoint(), {
      reload: "restart",
      doc: "A DNS server to ask for targets and for Matrix's SRV records. Then the system's hosts file counts for nothing here. The system's own resolver answers four names at a time (libuv's threads), so a server with many peers does better with this.",
      byDefault: "the system's",
      example: "127.0.0.1:53",
    }),
  },
  (file) => ({
    listen: file.listen,
    tls: file.tls,
    sharedSecret: file.shared_secret,
    caFile: file.ca_file,
    pins: file.pins,
    intercept: file.intercept,
    allowNetworks: file.allow_networks,
    allowPorts: file.allow_ports,
    resolver: file.resolver,
  }),
);

/** An entry in the words of peer/whitelist.ts. */
export interface WhitelistEntry {
  readonly kind: "regex" | "glob";
  readonly text: string;
  readonly sampling: "accept" | "trust";
  /** New traces a second. */
  readonly forcedPerSecond: number;
}

/** One new trace a second shows that a peer's traces arrive, and costs nothing. */
const FORCED_PER_SECOND = 1;

// Patterns are checked by load.ts, with the engine that it is given.
const regex = text("a regular expression without look-around and back-references", (value) => ({ value }));
const glob = text("a glob: `*` any characters, `?` one, {a,b} either", (value) => ({ value }));

const whitelistEntry = orShort<WhitelistEntry>(
  text("a regular expression, or a mapping with glob or regex", (value) => ({
    value: { kind: "regex", text: value, sampling: "accept", forcedPerSecond: FORCED_PER_SECOND },
  })),
  section(
    {
      regex: optional(regex, {
        reload: "live",
        doc: "A regular expression in RE2's syntax, which must match the whole name, letter case aside, with or without its port. A dot is any character: write `\\.`.",
        example: "'(.+\\.)?friends\\.example'",
      }),
      glob: optional(glob, {
        reload: "live",
        doc: "`*` stands for any characters, dots too, `?` for one, `{a,b}` for either. Quotes are needed where it begins with `*`.",
        example: "'*.example.net'",
      }),
      sampling: defaulted(oneOf(["accept", "trust"]), "accept", {
        reload: "live",
        doc: '`accept`: the peer\'s ids are taken and the local sampler decides. `trust`: its "sampled" counts too, within `forced_per_second`.',
      }),
      forced_per_second: defaulted(decimal(0, FORCED_PER_SECOND_MAX), FORCED_PER_SECOND, {
        reload: "live",
        doc: "New traces a second that a `trust` peer may have recorded. It is counted for each server name.",
      }),
    },
    (file): WhitelistEntry => ({
      kind: file.glob === undefined ? "regex" : "glob",
      text: file.glob ?? file.regex ?? "",
      sampling: file.sampling,
      forcedPerSecond: file.forced_per_second,
    }),
    { oneOf: ["regex", "glob"] },
  ),
);

/** Servers that trace context is taken from and given to. */
export const whitelist = list(whitelistEntry, WHITELIST_MAX);

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
  },
  (file, refuse) => {
    refuseRepeated(file.formats ?? [], (message) => refuse("formats", message));
    return file;
  },
);

function refuseRepeated(words: readonly string[], refuse: (message: string) => void): void {
  const repeated = words.find((word, index) => words.indexOf(word) !== index);
  if (repeated !== undefined) refuse(`names ${repeated} more than once; allowed: each once`);
}
