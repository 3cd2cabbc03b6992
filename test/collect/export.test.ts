/** CSV that no spreadsheet runs, JSON that is one list, and pages that are read only as fast as they are taken. */

import { describe, expect, it } from "vitest";
import { cellOf, exportCsv, exportJson } from "../../src/collect/export.ts";
import type { ReportStore } from "../../src/collect/report-store.ts";
import {
  ask,
  NOW,
  reportOf,
  startTestCollector,
  synapseDocument,
  temporaryStore,
} from "../support/collect.ts";

const EVERYTHING = { since: 0, until: NOW * 2, instance: undefined };

describe("a cell", () => {
  it.each([
    { value: "=1+1", cell: "'=1+1", why: "a formula" },
    {
      value: '=HYPERLINK("http://x","y")',
      cell: `"'=HYPERLINK(""http://x"",""y"")"`,
      why: "one with quotes",
    },
    { value: "+1", cell: "'+1", why: "another way to begin one" },
    { value: "@SUM(A1)", cell: "'@SUM(A1)", why: "an old way" },
    { value: "-1+cmd|' /C calc'!A0", cell: "'-1+cmd|' /C calc'!A0", why: "what only begins like a number" },
    { value: "-", cell: "'-", why: "a lone minus" },
    { value: "\t=1", cell: "'\t=1", why: "after a tab" },
    { value: "\r=1", cell: `"'\r=1"`, why: "after an end of line" },
    { value: "＝1+1", cell: "'＝1+1", why: "in wide letters" },
    { value: "-5", cell: "-5", why: "a negative number as a text" },
    { value: -5, cell: "-5", why: "a negative number" },
    { value: -1.5e-7, cell: "-1.5e-7", why: "a small one" },
    { value: "a,b", cell: '"a,b"', why: "a comma" },
    { value: 'a"b', cell: '"a""b"', why: "a quote" },
    { value: "a\nb", cell: '"a\nb"', why: "two lines" },
    { value: "hs1.test", cell: "hs1.test", why: "a name" },
    { value: null, cell: "", why: "nothing" },
    { value: undefined, cell: "", why: "what is not there" },
    { value: true, cell: "true", why: "yes" },
    { value: { a: 1 }, cell: '"{""a"":1}"', why: "an object" },
  ])("of $value is $cell: $why", ({ value, cell }) => {
    expect(cellOf(value)).toBe(cell);
  });
});

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

async function storeOf(count: number): Promise<ReportStore> {
  const store = await temporaryStore();
  await store.write(
    Array.from({ length: count }, (_, index) =>
      reportOf(synapseDocument({ homeserver: "=cmd.test", timestamp: NOW + index })),
    ),
  );
  return store;
}

it.each([0, 1, 249, 250, 251, 500, 750])("exports all of %i reports, each once", async (count) => {
  const store = await storeOf(count);
  const rows = JSON.parse(await textOf(exportJson(store, EVERYTHING))) as { timestamp: number }[];
  expect(rows.map(({ timestamp }) => timestamp - NOW)).toEqual(
    Array.from({ length: count }, (_, index) => index),
  );
  const lines = (await textOf(exportCsv(store, EVERYTHING))).split("\r\n");
  expect(lines).toHaveLength(count + 2);
  await store.close();
});

it("has a cell for each column, whatever the document lacks", async () => {
  const store = await storeOf(1);
  const [head = "", line = ""] = (await textOf(exportCsv(store, EVERYTHING))).split("\r\n");
  const cells = line.slice(0, line.indexOf('"')).split(",");
  expect(head.split(",")).toHaveLength(cells.length);
  expect(cells.slice(0, 5)).toEqual(["synapse", "'=cmd.test", String(NOW), String(NOW), "1.163.2"]);
  await store.close();
});

it("reads a page only when the one before was taken", async () => {
  const store = await storeOf(1000);
  let pages = 0;
  const counted: ReportStore = {
    ...store,
    readPage(query) {
      pages += 1;
      return store.readPage(query);
    },
  };
  const pieces = exportJson(counted, EVERYTHING);
  await pieces.next();
  await pieces.next();
  expect(pages).toBe(2);
  await pieces.return(undefined);
  await store.close();
});

it("breaks off where a later page can't be read, and does not look whole", async () => {
  const store = await storeOf(300);
  let pages = 0;
  const failing: ReportStore = {
    ...store,
    readPage: (query) => (++pages === 2 ? Promise.reject(new Error("away")) : store.readPage(query)),
  };
  const { port, logged } = await startTestCollector({ store: failing });
  await expect(ask(port, "/api/reports.json")).rejects.toThrow("aborted");
  expect(logged).toEqual(["export failed"]);
});
