/**
 * The cipher suites that TLS is spoken with, by listeners and towards upstreams alike: no side accepts what the other would not.
 *
 * They are those of Mozilla's "intermediate" profile, version 5.7 (https://wiki.mozilla.org/Security/Server_Side_TLS), without
 * its DHE suites: they need parameters of their own, and every peer with TLS 1.2 and a DHE suite has an ECDHE one.
 */

/** OpenSSL's form. TLS 1.3's suites are all good ones; the three that OpenSSL offers stand first. */
export const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");
