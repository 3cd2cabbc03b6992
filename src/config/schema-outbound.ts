/** The options of the way out: `outbound`. */

import { defaulted, list, map, type Option, optional, required, section } from "./schema-option.ts";
import {
  addressEndpoint,
  filePath,
  hostName,
  integer,
  listenAddressOrSocket,
  network,
  NETWORKS_MAX,
  secret,
  text,
} from "./schema-values.ts";

/** Globs of hosts; peer/pattern.ts compiles them as a whitelist's. */
const INTERCEPT_HOSTS_MAX = 1000;
/** Hosts with pins are exceptions; each has a certificate, its successor, and some to spare. */
const PINNED_HOSTS_MAX = 100;
const PINS_MAX = 8;
/** As many as are known to belong to another protocol, and some. */
const PORTS_MAX = 100;

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
        INTERCEPT_HOSTS_MAX,
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
