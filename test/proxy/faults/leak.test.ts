/** Thousands of faults and what they leave: nothing. Fifty thousand of them are in test/real/faults.test.ts. */

import { connect } from "node:tls";
import { it } from "vitest";
import { FAULT_KINDS, TLS_KINDS, UPGRADE_KINDS } from "./fault-kinds.ts";
import { expectNoLeak } from "./leak.ts";

const CERTIFICATES = "test/fixtures/certificates";

it("10,000 faults of every kind leave no socket, no timer, no object, no heap, and a span each", async () => {
  await expectNoLeak({ kinds: FAULT_KINDS, batches: [2000, 8000] });
}, 120_000);

it("2,000 aborted upgrades leave nothing either", async () => {
  await expectNoLeak({ kinds: UPGRADE_KINDS, batches: [500, 1500] });
}, 120_000);

it("2,000 aborted handshakes and requests on TLS leave nothing either", async () => {
  await expectNoLeak({
    kinds: TLS_KINDS,
    batches: [500, 1500],
    tls: {
      config: {
        certificate: `${CERTIFICATES}/server-main.pem`,
        private_key: `${CERTIFICATES}/server-main.key`,
      },
      dial: (port) => ({
        socket: connect({ port, host: "127.0.0.1", rejectUnauthorized: false }),
        opened: "secureConnect",
      }),
    },
  });
}, 120_000);
