/**
 * ReDoS. An expression that backtracks takes a time that doubles with each letter: of the operator's patterns by a name that a
 * peer chooses, of the program's own by any header; and one process has one thread.
 *
 * Source: CVE-2021-29471 (Synapse's push rules matched globs so); CWE-1333.
 * Without the rule: one request with a name of 40 letters stops a sidecar for hours. In a backtracking engine the patterns below
 * take longer than the universe has; the test runner's own time limit is the bound. Parsers that use no expression are in
 * test/fuzz/cost.target.ts.
 */

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Attacked, from, startAttacked } from "./attacked.ts";

/** Of the usual exponential and polynomial kinds (https://www.regular-expressions.info/catastrophic.html), all of them legal. */
const PATTERNS = [
  "(a+)+",
  "(a|aa)+",
  "(a|a?)+b",
  "([a-z]+)*\\.example",
  "(.*a){25}b",
  "(a*)*b",
  "((a+)*)*\\.b",
  "(.+\\.)+.+\\.b",
  "^(([a-z])+.)+[A-Z]([a-z])+$",
  "(?:a?){60}a{60}",
  { glob: "*a*a*a*a*a*a*a*a*b" },
  { glob: "*{a,aa,aaa}*{a,aa,aaa}*{a,aa,aaa}*c" },
];

let attacked: Attacked;
beforeAll(async () => {
  attacked = await startAttacked({ whitelist: PATTERNS, sampling: { type: "const", param: 0 } });
});
afterAll(() => attacked.stop());

const NAME_LENGTH_MAX = 255;
const OK = /^HTTP\/1\.1 200 /;

function fill(unit: string, length: number): string {
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
}

describe("a name against the operator's patterns", () => {
  it.each([
    { why: "one letter", unit: "a" },
    { why: "labels of one letter", unit: "a." },
    { why: "labels of two", unit: "aa." },
    { why: "letters that nearly match", unit: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1" },
    { why: "dashes", unit: "a-" },
  ])("is judged in time linear in it, whatever the pattern: $why", async ({ unit }) => {
    for (const end of ["", "!", "c", ".b", "1.example", "Z:1"]) {
      const name = `${fill(unit, NAME_LENGTH_MAX - 20)}${end}`;
      const { received } = await attacked.passIn([from(name)]);
      expect(received).toMatch(OK);
    }
    expect((await attacked.passOut(`${fill(unit, 60).replace(/[.-]$/, "a")}.test`, [])).received).toMatch(OK);
  });
});

describe("a header against the program's own expressions", () => {
  const LENGTH = 60_000;
  const UNITS = ["a", "0", " ", ",", ";", "=", "%3A", 'a="', "\\"];

  it.each([
    "Authorization: X-Matrix ",
    "Authorization: Signature ",
    "Proxy-Authorization: Basic ",
    "Signature: ",
    "Signature-Input: sig1=(",
    "traceparent: 00-",
    "tracestate: ",
    "uber-trace-id: ",
    "b3: ",
  ])("costs no more than it is long: %s", async (start) => {
    for (const unit of UNITS) {
      const { received } = await attacked.passIn([from("aaaa"), `${start}${fill(unit, LENGTH)}x`]);
      expect(received).toMatch(/^HTTP\/1\.1 [245]\d\d /);
    }
  });

  it("nor does an answer's", async () => {
    for (const start of ["Server-Timing: ", "Keep-Alive: "]) {
      for (const unit of UNITS) {
        attacked.answerWith(`HTTP/1.1 200 OK\r\n${start}${fill(unit, LENGTH)}x\r\nContent-Length: 0\r\n\r\n`);
        expect((await attacked.passIn([])).received).toMatch(/^HTTP\/1\.1 [25]\d\d /);
      }
    }
    attacked.answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
});

/** Where expressions meet texts of peers. Not there: those that read the config, which is the operator's own. */
const READ_BY = /^(?:core|discovery|http1|metrics|peer|proof|propagation|proxy|sampling|span|store)\//;
const OF_THE_CONFIG = /^peer\/(?:glob|pattern|pattern-lint|pattern-sample)\.ts$/;
/** A literal where an expression may stand: behind what can't end a value. */
const LITERAL =
  /(?<=[=(,:?&|![]\s*|return\s+|^\s*)\/((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([gimsuyd]*)/gm;

describe("each expression that is read with", () => {
  /** A linear one takes a millisecond at most; one that is quadratic takes a second of the processor. */
  const LENGTH = 65_536;
  const CPU_MAX_MS = 300;
  const STARTS = ["", "a", "http://", "[", ":"];
  const UNITS = [
    "a",
    "0",
    " ",
    "\t",
    ".",
    "a.",
    "-",
    ":",
    ":0",
    "=",
    '"',
    "\\",
    ",",
    "/",
    "%",
    "%3",
    "\r\n",
    "\xe9",
  ];

  const expressions = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && READ_BY.test(name) && !OF_THE_CONFIG.test(name))
    .flatMap((name) => {
      const code = readFileSync(`src/${name}`, "utf8").replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
      return [...code.matchAll(LITERAL)].map(([, source = "", flags]) => ({ name, source, flags }));
    });

  const TEXTS = STARTS.flatMap((start) =>
    UNITS.map((unit) => ({ shown: `${start}${unit}…`, text: `${start}${fill(unit, LENGTH)}\0` })),
  );

  it("is found", () => {
    expect(expressions.length).toBeGreaterThan(40);
  });

  it.each(expressions)("takes linear time at most: $name /$source/", ({ source, flags }) => {
    const expression = new RegExp(source, flags);
    for (const { shown, text } of TEXTS) {
      const before = process.cpuUsage();
      expression.lastIndex = 0;
      expression.test(text);
      const ms = process.cpuUsage(before).user / 1000;
      if (ms >= CPU_MAX_MS) expect.fail(`${ms} ms for ${JSON.stringify(shown)}`);
    }
  });
});
