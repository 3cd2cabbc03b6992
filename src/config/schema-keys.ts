/** The options of `inbound.keys`: where the keys of peers come from. */

import { defaulted, list, map, optional, required, section } from "./schema-option.ts";
import {
  addressEndpoint,
  decimal,
  filePath,
  NETWORKS_MAX,
  network,
  serverName,
  text,
} from "./schema-values.ts";

/** Enough for any honest server's start; more would let strangers make this server's traffic. */
const KEY_FETCHES_PER_SECOND = 10;
const KEY_FETCHES_MAX = 1000;
const NOTARY_KEYS_MAX = 16;
const VERIFY_KEY = /^[A-Za-z0-9+/]{43}=?$/;
const KEY_ID = /^ed25519:[A-Za-z0-9_.-]{1,128}$/;

const verifyKey = text("a public ed25519 key: 32 bytes in Base64", (written) =>
  VERIFY_KEY.test(written) ? { value: written.replace(/=$/, "") } : { refused: "is not an ed25519 key" },
);
const keyId = text("a key's id, such as ed25519:auto", (written) =>
  KEY_ID.test(written) ? { value: written } : { refused: "is not a key's id" },
);

const notary = section(
  {
    server_name: required(serverName(), {
      reload: "live",
      doc: "The notary's server name.",
      example: "matrix.org",
    }),
    verify_keys: defaulted(
      map(keyId, verifyKey, NOTARY_KEYS_MAX),
      {},
      {
        reload: "live",
        doc: "Its public keys by their ids, as in Synapse's `trusted_key_servers`. Without any, its keys are asked of itself.",
        example: "{ 'ed25519:auto': Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw }",
      },
    ),
  },
  (file) => ({ serverName: file.server_name, verifyKeys: file.verify_keys }),
);

/** Where the keys of peers come from. */
export const keys = section(
  {
    notary: optional(notary, {
      reload: "live",
      doc: "A Matrix server that is asked for another server's keys where that one can't be reached. What it says counts only if both have signed it.",
    }),
    fetches_per_second: defaulted(decimal(0.1, KEY_FETCHES_MAX), KEY_FETCHES_PER_SECOND, {
      reload: "restart",
      doc: "Servers and actors that are asked for their keys, in any second. Only names that the whitelist has are asked for. Three tenths are kept for those whose keys were known before, four for those that the whitelist spells out; of one host there are two at most.",
    }),
    ca_file: optional(filePath(), {
      reload: "restart",
      doc: "PEM file with certificate authorities, added to the system's roots when a peer is asked for its keys.",
      byDefault: "`outbound.ca_file`",
      example: "extra-roots.pem",
    }),
    allow_networks: optional(list(network(), NETWORKS_MAX), {
      reload: "live",
      doc: "Private, loopback and link-local networks that may be asked all the same. **Danger:** whoever sends a request here in a whitelisted name makes this server ask that name for its keys.",
      byDefault: "`outbound.allow_networks`",
      example: "[10.0.0.0/8]",
    }),
    resolver: optional(addressEndpoint(), {
      reload: "restart",
      doc: "A DNS server to look peers up with.",
      byDefault: "`outbound.resolver`, else the system's",
      example: "127.0.0.1:53",
    }),
  },
  (file) => ({
    notary: file.notary,
    fetchesPerSecond: file.fetches_per_second,
    caFile: file.ca_file,
    allowNetworks: file.allow_networks,
    resolver: file.resolver,
  }),
);
