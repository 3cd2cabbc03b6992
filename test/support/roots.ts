/**
 * In the place of the system's certificate authorities, which are some 140: making a TLS context of them costs 40 ms of CPU, and
 * nearly every sidecar of a test makes one. The system's own are read where a test runs the program as users start it (deploy/).
 */

import { resolve } from "node:path";

/** One authority by which no certificate of a test's server is issued. */
export const FEW_ROOTS = resolve("test/fixtures/authority/p384.pem");
