/**
 * Renewal of certificates under a running sidecar: however the files are replaced, new handshakes get the new one, open
 * connections stay, and what can't be used is told once and passed over.
 */

import { copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryDirectory } from "../support/cli.ts";
import { checkIn, refusedRunIn } from "../support/commands.ts";
import { configText, type LogLine, type SpawnedSidecar, startSidecar } from "../support/sidecar.ts";
import { recordingUpstream } from "../support/wire.ts";

/** Made by test/fixtures/certificates/make.sh, which says what each is. */
const fixture = (name: string): string => resolve("test/fixtures/certificates", name);
const textOf = (name: string): string => readFileSync(fixture(name), "utf8");

const count = (log: readonly LogLine[], message: string): number =>
  log.filter(({ msg }) => msg === message).length;

/** A directory with a pair as an operator names it. */
function directoryWith(name: string): string {
  const directory = temporaryDirectory();
  copyPair(name, directory);
  return directory;
}

function copyPair(name: string, directory: string): void {
  copyFileSync(fixture(`${name}.pem`), join(directory, "tls.crt"));
  copyFileSync(fixture(`${name}.key`), join(directory, "tls.key"));
}

async function startTls(directory: string, tls: object = {}): Promise<SpawnedSidecar> {
  const upstream = await recordingUpstream();
  onTestFinished(() => upstream.stop());
  return startSidecar({
    inbound: {
      listen: "127.0.0.1:0",
      upstream: `http://127.0.0.1:${upstream.port}`,
      tls: { certificate: join(directory, "tls.crt"), private_key: join(directory, "tls.key"), ...tls },
    },
  });
}

async function open({ port }: SpawnedSidecar, servername = "a.example"): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port: port.inbound, servername, rejectUnauthorized: false });
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}

/** @returns which of the fixtures the sidecar shows, by its common name */
async function shown(sidecar: SpawnedSidecar, servername?: string): Promise<unknown> {
  const socket = await open(sidecar, servername);
  return socket.getPeerCertificate().subject.CN;
}

async function ask(socket: TLSSocket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString("latin1");
}

describe("takes a renewed pair over, and leaves open connections alone, when", () => {
  it.each<{ why: string; renew: (directory: string) => void }>([
    { why: "the files are written in place", renew: (directory) => copyPair("server-renewed", directory) },
    {
      why: "they are replaced by others",
      renew(directory) {
        for (const [from, to] of [["pem", "crt"] as const, ["key", "key"] as const]) {
          copyFileSync(fixture(`server-renewed.${from}`), join(directory, `new.${to}`));
          renameSync(join(directory, `new.${to}`), join(directory, `tls.${to}`));
        }
      },
    },
  ])("$why", async ({ renew }) => {
    const directory = directoryWith("server-main");
    const sidecar = await startTls(directory);
    const before = await open(sidecar);
    renew(directory);
    const log = await sidecar.untilLog((lines) => count(lines, "certificate taken") === 1);
    expect(log.find(({ msg }) => msg === "certificate taken")).toMatchObject({
      level: "info",
      file: join(directory, "tls.crt"),
      names: "DNS:a.example",
      not_after: "2120-01-01T00:00:00.000Z",
    });
    expect(await shown(sidecar)).toBe("server-renewed.fedtrace.test");
    expect(await ask(before)).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(sidecar.stderr.join("\n")).not.toContain("PRIVATE KEY");
  });

  it("a link is swapped, as Kubernetes does with a Secret", async () => {
    const directory = temporaryDirectory();
    const addVersion = (version: string, name: string): void => {
      mkdirSync(join(directory, version));
      copyPair(name, join(directory, version));
    };
    addVersion("..v1", "server-main");
    symlinkSync("..v1", join(directory, "..data"));
    for (const name of ["tls.crt", "tls.key"]) symlinkSync(`..data/${name}`, join(directory, name));
    const sidecar = await startTls(directory);
    addVersion("..v2", "server-renewed");
    symlinkSync("..v2", join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    await sidecar.untilLog((log) => count(log, "certificate taken") === 1);
    expect(await shown(sidecar)).toBe("server-renewed.fedtrace.test");
    // And again, from the place that the links lead to now.
    addVersion("..v3", "server-main");
    symlinkSync("..v3", join(directory, "..data_tmp"));
    renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
    await sidecar.untilLog((log) => count(log, "certificate taken") === 2);
    expect(await shown(sidecar)).toBe("server-main.fedtrace.test");
  });

  it("links are made anew one by one, as certbot does", async () => {
    const archive = temporaryDirectory();
    const live = temporaryDirectory();
    const link = (version: number, name: string): void => {
      for (const [from, to] of [["pem", "crt"] as const, ["key", "key"] as const]) {
        copyFileSync(fixture(`${name}.${from}`), join(archive, `${version}.${to}`));
        symlinkSync(join(archive, `${version}.${to}`), join(live, "next"));
        renameSync(join(live, "next"), join(live, `tls.${to}`));
      }
    };
    link(1, "server-main");
    const sidecar = await startTls(live);
    link(2, "server-renewed");
    await sidecar.untilLog((log) => count(log, "certificate taken") === 1);
    expect(await shown(sidecar)).toBe("server-renewed.fedtrace.test");
  });

  it("SIGHUP asks, where no change of the files can be seen", async () => {
    const elsewhere = directoryWith("server-main");
    const directory = temporaryDirectory();
    for (const name of ["tls.crt", "tls.key"]) symlinkSync(join(elsewhere, name), join(directory, name));
    const sidecar = await startTls(directory);
    copyPair("server-renewed", elsewhere);
    sidecar.signal("SIGHUP");
    await sidecar.untilLog((log) => count(log, "certificate taken") === 1);
    expect(await shown(sidecar)).toBe("server-renewed.fedtrace.test");
  });

  it("the config names other files, further ones too", async () => {
    const directory = directoryWith("server-main");
    const sidecar = await startTls(directory);
    const config = JSON.parse(readFileSync(sidecar.configPath, "utf8")) as { inbound: { tls: object } };
    const further = { certificate: fixture("server-wild.pem"), private_key: fixture("server-wild.key") };
    const tls = {
      certificate: fixture("server-renewed.pem"),
      private_key: fixture("server-renewed.key"),
      certificates: [further],
    };
    writeFileSync(sidecar.configPath, configText({ ...config, inbound: { ...config.inbound, tls } }));
    await sidecar.untilLog((log) => count(log, "reloaded") === 1);
    expect(await shown(sidecar)).toBe("server-renewed.fedtrace.test");
    expect(await shown(sidecar, "b.wild.example")).toBe("server-wild.fedtrace.test");
  });
});

const SPOILED: readonly {
  readonly why: string;
  readonly spoil: (directory: string) => void;
  readonly file: string;
  readonly reason: RegExp;
}[] = [
  {
    why: "has no key yet",
    spoil: (directory) => copyFileSync(fixture("server-renewed.pem"), join(directory, "tls.crt")),
    file: "tls.key",
    reason: /^is not the key of \S+tls\.crt$/,
  },
  {
    why: "is half written",
    spoil: (directory) =>
      writeFileSync(join(directory, "tls.crt"), textOf("server-renewed.pem").slice(0, 200)),
    file: "tls.crt",
    reason: /without a certificate/,
  },
  {
    why: "is out of date",
    spoil: (directory) => copyPair("server-expired", directory),
    file: "tls.crt",
    reason: /^expired on 2021-01-01$/,
  },
];

// One sidecar for all: each finds it with the first pair, and leaves it with the renewed one.
it("keeps what it has, says why once, and takes the next good one, where the new one is none", async () => {
  const directory = directoryWith("server-main");
  const sidecar = await startTls(directory);
  let taken = 0;
  const take = async (name: string): Promise<void> => {
    copyPair(name, directory);
    taken++;
    await sidecar.untilLog((lines) => count(lines, "certificate taken") === taken);
    expect(await shown(sidecar)).toBe(`${name}.fedtrace.test`);
  };
  for (const [index, { why, spoil, file, reason }] of SPOILED.entries()) {
    if (index > 0) await take("server-main");
    const before = sidecar.log().length;
    spoil(directory);
    const log = await sidecar.untilLog((lines) =>
      lines
        .slice(before)
        .some(({ msg, file: named }) => msg === "certificate not taken" && named === join(directory, file)),
    );
    expect(log.findLast(({ msg }) => msg === "certificate not taken")?.["reason"], why).toMatch(reason);
    expect(await shown(sidecar), why).toBe("server-main.fedtrace.test");
    // A look at what was told already tells nothing, unless somebody asks.
    const told = count(sidecar.log(), "certificate not taken");
    sidecar.signal("SIGHUP");
    await sidecar.untilLog((lines) => count(lines, "certificate not taken") === told + 1);
    await take("server-renewed");
  }
});

describe("at the start", () => {
  const directoryFor = (tls: object): string => {
    const directory = temporaryDirectory();
    const inbound = { listen: "127.0.0.1:0", upstream: "http://127.0.0.1:1", tls };
    writeFileSync(join(directory, "fedtrace.yaml"), configText({ inbound }));
    return directory;
  };
  const main = { certificate: fixture("server-main.pem"), private_key: fixture("server-main.key") };

  it("refuses a pair that does not match, with the place in the config", async () => {
    const further = { certificate: fixture("server-wild.pem"), private_key: fixture("server-main.key") };
    const directory = directoryFor({ ...main, certificates: [main, further] });
    for (const refuse of [checkIn, refusedRunIn]) {
      const { status, stderr } = await refuse(directory);
      expect(status).toBe(2);
      expect(stderr).toMatch(
        /^fedtrace\.yaml:\d+:\d+: inbound\.tls\.certificates\[1\]\.private_key: is not the key of inbound\.tls\.certificates\[1\]\.certificate; allowed: the key it was issued for$/m,
      );
    }
  });

  it("warns of a certificate that is out of date", async () => {
    const tls = { certificate: fixture("server-expired.pem"), private_key: fixture("server-expired.key") };
    const { status, stderr } = await checkIn(directoryFor(tls));
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^warning: \S+: inbound\.tls\.certificate: names a certificate that expired on 2021-01-01$/m,
    );
  });
});
