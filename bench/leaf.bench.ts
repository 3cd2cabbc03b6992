/**
 * Question: how long does a client wait for a certificate that is made for its name, how much of that is OpenSSL's
 *           context, and does a flood of names leave memory as it is?
 * Decision it feeds: certificates are written by a library and made when they are asked for, in the main thread, while
 *           one takes less than 5 ms with its context; contexts are kept, a thousand of them, while they take less than 50 MB.
 * Input:    authorities on P-256, P-384 and of RSA with 2048 bits (test/fixtures/authority); names that are asked for once.
 * Checked:  each first leaf is verified by node:crypto, for its name and by its issuer.
 * Run:      npx vitest bench --run bench/leaf.bench.ts   (alone on the machine, 5 times)
 *           BENCH_NAMES=30000 beside it: memory after so many names, in steps of 10,000; takes minutes.
 * Last:     see bench/RESULTS.md: date, commit, CPU, Node; never numbers in this file. Memory is said on the console.
 */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bench, describe } from "vitest";
import { type Authority, type Leaf, loadAuthority } from "../src/authority/authority.ts";
import { createLeafCache, type KeptLeaf, type LeafCache, LEAFS_MAX } from "../src/authority/leaf-cache.ts";
import { createSystemClock } from "../src/core/clock.ts";
import { createBoundedCache } from "../src/core/bounded-cache.ts";

/** A median of at least 200, and long enough for the compiler. */
const ENOUGH = { iterations: 300, warmupIterations: 100, time: 1000 };
const TLS = { minVersion: "TLSv1.2", honorCipherOrder: false, sessionIdContext: "fedtrace" } as const;
const STEP = 10_000;
const clock = createSystemClock();

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function read(name: string): string {
  return readFileSync(`test/fixtures/authority/${name}`, "utf8");
}

async function load(name: string): Promise<Authority> {
  const loaded = await loadAuthority(
    { certificatePem: read(`${name}.pem`), privateKeyPem: read(`${name}.key`) },
    clock,
  );
  if ("faults" in loaded) throw new Error(JSON.stringify(loaded.faults));
  return loaded.value;
}

async function issue(authority: Authority, name: string): Promise<Leaf> {
  const leaf = await authority.issueLeaf(name);
  if ("refused" in leaf) throw new Error(leaf.refused);
  return leaf.value;
}

function createCache(authority: Authority): Promise<LeafCache> {
  return createLeafCache(authority, { store: createBoundedCache<KeptLeaf>(LEAFS_MAX), clock, tls: TLS });
}

function megabytes(): string {
  collect();
  collect();
  const { rss, heapUsed } = process.memoryUsage();
  return `RSS ${(rss / 1e6).toFixed(1)} MB, heap ${(heapUsed / 1e6).toFixed(1)} MB`;
}

const authorities = new Map<string, Authority>();
for (const name of ["p256", "p384", "rsa"]) {
  const authority = await load(name);
  const leaf = new X509Certificate((await issue(authority, "check.example")).certificatePem);
  const issuer = new X509Certificate(read(`${name}.pem`));
  const isRight = leaf.checkHost("check.example") !== undefined && leaf.verify(issuer.publicKey);
  if (!isRight || !leaf.checkIssued(issuer)) throw new Error(`the leaf of ${name} is wrong`);
  authorities.set(name, authority);
}
const p256 = await load("p256");

const names = Number(process.env["BENCH_NAMES"] ?? 0);
if (names > 0) {
  const cache = await createCache(p256);
  console.info(`before: ${megabytes()}`);
  for (let index = 0; index < names; index++) {
    await cache.contextOf(`flood${index}.example`);
    if ((index + 1) % STEP === 0 || index + 1 === LEAFS_MAX) {
      console.info(`${index + 1} names: ${megabytes()}, ${JSON.stringify(cache.counters())}`);
    }
  }
}

let at = 0;

describe("a leaf alone", () => {
  for (const [name, authority] of authorities) {
    bench(
      `by ${name}`,
      async () => {
        await issue(authority, `hs${at++}.example`);
      },
      ENOUGH,
    );
  }
});

const ready = await issue(p256, "hs.example");

describe("for a client", () => {
  bench(
    "a context alone",
    () => {
      createSecureContext({ ...TLS, ca: [], cert: ready.certificatePem, key: ready.privateKeyPem });
    },
    ENOUGH,
  );
  for (const [name, authority] of authorities) {
    const created = createCache(authority);
    bench(
      `leaf and context, a new name, by ${name}`,
      async () => {
        await (await created).contextOf(`hs${at++}.example`);
      },
      ENOUGH,
    );
  }
  const created = createCache(p256);
  bench(
    "a name that is kept",
    async () => {
      await (await created).contextOf("hs.example");
    },
    ENOUGH,
  );
});
