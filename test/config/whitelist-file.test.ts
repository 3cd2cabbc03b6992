/**
 * whitelist_file: how its lines are read, its bounds, and what is said of its entries and where. Faults of whole files are
 * goldens (load.test.ts); that it is read again is in test/cli/reload.test.ts.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ALL_CHECKS, RELOAD_CHECKS, START_CHECKS } from "../../src/commands/config-checks.ts";
import { formatFault } from "../../src/config/fault.ts";
import { loadConfig } from "../../src/config/load.ts";

const directory = mkdtempSync(join(tmpdir(), "fedtrace-list-"));
afterAll(() => rmSync(directory, { recursive: true }));

interface Read {
  /** `KIND TEXT SOURCE` of the file's entries; none where there are faults. */
  readonly entries: readonly string[];
  /** Faults, or warnings, of the file. */
  readonly lines: readonly string[];
  readonly isValid: boolean;
}

async function read(list: string | Uint8Array, name = "peers.txt", checks = RELOAD_CHECKS): Promise<Read> {
  const path = join(directory, "fedtrace.yaml");
  writeFileSync(join(directory, name), list);
  writeFileSync(
    path,
    `server_name: a.test
inbound: { listen: 0.0.0.0:0, upstream: http://127.0.0.1:1, authenticate: network, networks: { a: [10.0.0.0/8] } }
whitelist: [own, { regex: proven, authenticate: claimed }]
whitelist_file: ${name}
`,
  );
  const loaded = await loadConfig(path, checks, { PEER: "peer" });
  const said = loaded.ok ? loaded.warnings : loaded.faults;
  const entries = loaded.ok ? loaded.config.whitelist.filter(({ source }) => source !== undefined) : [];
  return {
    entries: entries.map(({ kind, text, source }) => `${kind} ${text} ${source}`),
    lines: said.map((fault) => formatFault(fault).replace(`${directory}/`, "")),
    isValid: loaded.ok,
  };
}

describe("a line is", () => {
  it.each([
    { why: "a regular expression", list: "a\\.test\n", entries: ["regex a\\.test peers.txt:1"] },
    { why: "without a line end", list: "a", entries: ["regex a peers.txt:1"] },
    {
      why: "ended as Windows does",
      list: "a\r\nb\r\n",
      entries: ["regex a peers.txt:1", "regex b peers.txt:2"],
    },
    { why: "within blanks", list: " \ta \t\n", entries: ["regex a peers.txt:1"] },
    { why: "a comment", list: "# a\n  # b\nc", entries: ["regex c peers.txt:3"] },
    { why: "empty", list: "\n \t\n\n", entries: [] },
    { why: "a glob", list: "glob: *.a.test", entries: ["glob *.a.test peers.txt:1"] },
    { why: "a glob without a blank", list: "glob:*.a", entries: ["glob *.a peers.txt:1"] },
    { why: "after a byte order mark", list: "\uFEFFa", entries: ["regex a peers.txt:1"] },
    { why: "no place for a variable", list: "${PEER}", entries: ["regex ${PEER} peers.txt:1"] },
    { why: "an end of text", list: "a$", entries: ["regex a$ peers.txt:1"] },
  ])("$why", async ({ list, entries }) => {
    expect(await read(list)).toMatchObject({ entries, isValid: true });
  });
});

describe("a list that is cut off", () => {
  const CUT =
    "whitelist_file: is cut off: the last line has no line end; the list before stays; write to another file and rename it";
  const OPEN =
    "whitelist_file: has no line end after its last line; a reload refuses a changed list that ends so: add one";

  it.each([
    { why: "half a pattern", name: "peers.txt", list: "a\\.test\n.*", at: "2:3" },
    { why: "half a comment", name: "peers.txt", list: "a\\.test\n# no", at: "2:5" },
    { why: "between the two characters of a line end", name: "peers.txt", list: "a\r\nb\r", at: "2:3" },
    { why: "and half a pattern that is none", name: "peers.txt", list: "(\n(a", at: "2:3" },
    { why: "half a scalar", name: "peers.yaml", list: "- a\\.test\n- .*", at: "2:5" },
    { why: "half an entry", name: "peers.yaml", list: "- regex: a", at: "1:11" },
    { why: "half a mapping, which is no YAML", name: "peers.yaml", list: "- { regex: a", at: "1:13" },
  ])("is refused at a reload, and says nothing else: $why", async ({ name, list, at }) => {
    const { lines, isValid } = await read(list, name, { ...RELOAD_CHECKS, listInForce: "a\\.test\n" });
    expect({ lines, isValid }).toEqual({ lines: [`${name}:${at}: ${CUT}`], isValid: false });
  });

  it.each([
    { why: "whole", name: "peers.txt", list: "a\n", inForce: "b\n" },
    { why: "empty, which is nobody", name: "peers.txt", list: "", inForce: "b\n" },
    { why: "cut between two lines, which is shorter", name: "peers.txt", list: "a\n\n", inForce: "b\n" },
    { why: "whole, in YAML", name: "peers.yaml", list: "- a\n", inForce: "" },
  ])("is not one that is $why", async ({ name, list, inForce }) => {
    const { lines, isValid } = await read(list, name, { ...RELOAD_CHECKS, listInForce: inForce });
    expect(isValid).toBe(true);
    expect(lines.filter((line) => line.includes("line end"))).toEqual([]);
  });

  it("is taken at a reload that changes something else", async () => {
    const { lines, isValid } = await read("a\nb", "peers.txt", { ...RELOAD_CHECKS, listInForce: "a\nb" });
    expect(isValid).toBe(true);
    expect(lines).toContain(`peers.txt:2:2: ${OPEN}`);
  });

  it.each([
    { why: "a start", checks: START_CHECKS },
    { why: "check", checks: ALL_CHECKS },
  ])("is taken at $why with a warning: an editor may leave it so", async ({ checks }) => {
    const { lines, isValid } = await read("a\\.test\n.*", "peers.txt", checks);
    expect(isValid).toBe(true);
    expect(lines.slice(-2)).toEqual([
      "peers.txt:2:1: whitelist_file: admits every server, stranger.invalid too",
      `peers.txt:2:3: ${OPEN}`,
    ]);
  });
});

it("is a YAML list by its name, with mappings and variables", async () => {
  const list = "- ${PEER}\\.test\n- { glob: '*.b', authenticate: mtls }\n";
  const entries = ["regex peer\\.test peers.YML:1", "glob *.b peers.YML:2"];
  expect((await read(list, "peers.YML")).entries).toEqual(entries);
});

describe("bounds", () => {
  it("takes 20,000 entries", async () => {
    expect((await read("# many\n" + "a\n".repeat(20_000))).entries).toHaveLength(20_000);
  });
  it("and not one more", async () => {
    const { lines } = await read("# many\n" + "a\n".repeat(20_001));
    expect(lines).toEqual(["peers.txt:20002:1: whitelist_file: is one entry too many; allowed: 20000"]);
  });
  it("takes a mebibyte", async () => {
    expect((await read("#".repeat(1024 ** 2))).isValid).toBe(true);
  });
  it("and not a byte more", async () => {
    expect((await read("#".repeat(1024 ** 2 + 1))).lines).toEqual([
      expect.stringContaining("fedtrace.yaml:4:17: whitelist_file: names a file of over 1048576 bytes"),
    ]);
  });
  it("tells 100 faults", async () => {
    expect((await read("(\n".repeat(100))).lines).toHaveLength(100);
  });
  it("and how many more there are", async () => {
    const { lines } = await read("(\n".repeat(150));
    expect(lines).toHaveLength(101);
    expect(lines[0]).toBe("peers.txt:1:1: whitelist_file: has 50 more faults; the first 100 are listed");
  });
  it("counts the patterns together", async () => {
    const { lines } = await read("([a-z0-9]{1,20}[.-]){1,5}x\\.example\n".repeat(600));
    expect(lines).toEqual([
      expect.stringMatching(/^fedtrace\.yaml:4:17: whitelist_file: compiles to \d+ instr/),
    ]);
  });
});

it("warns where the entry stands", async () => {
  const { lines } = await read("a\n matrix.org\nglob: *\n", "peers.txt", ALL_CHECKS);
  expect(lines.map((line) => line.slice(0, 70))).toEqual([
    expect.stringContaining("fedtrace.yaml:3:49: whitelist[1].authenticate: is claimed and has no"),
    expect.stringContaining("peers.txt:2:2: whitelist_file: has a dot that stands for any character"),
    expect.stringContaining("peers.txt:3:7: whitelist_file: admits every server"),
  ]);
});

it("warns of what a key of an entry does in vain", async () => {
  const list = `- { regex: a, authenticate: claimed }
- { regex: b, authenticate: network }
- { regex: c, sampling: trust, forced_per_second: 0 }
- { regex: d, authenticate: mtls }
`;
  expect((await read(list, "peers.yaml")).lines.slice(1)).toEqual([
    "peers.yaml:1:29: whitelist_file[0].authenticate: is claimed and has no effect: inbound.authenticate asks for more, network",
    "peers.yaml:3:51: whitelist_file[2].forced_per_second: is 0, so sampling: trust is the same as accept",
    "peers.yaml:4:29: whitelist_file[3].authenticate: is mtls without inbound.tls.client_ca: only a signature can prove its name",
  ]);
});
