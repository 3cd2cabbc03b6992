/**
 * The collector's page in a real browser, against made-up summaries: what a reader does with mouse, keyboard, phone and
 * token, and what hostile reports do to it. Screenshots go to .cache/screenshots/, for eyes.
 */

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Opened, openPage, startChromium } from "./chromium.ts";
import {
  type CollectPageServer,
  dayBefore,
  emptySummary,
  HOSTILE_TEXTS,
  hostileSummary,
  ordinarySummary,
  SILENT_DAYS,
  startCollectPageServer,
} from "./collect-page-fixture.ts";
import { FAINT_TEXTS } from "./faint-texts.ts";

const SCREENSHOTS = join(".cache", "screenshots");
const DESKTOP = { width: 1280, height: 860 };
const PHONE = { width: 400, height: 800 };
const CHARTS = 6;

let browser: Browser;
let server: CollectPageServer;

beforeAll(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  [browser, server] = await Promise.all([startChromium(), startCollectPageServer()]);
});

beforeEach(() => {
  server.answer = ({ days }) => ({ status: 200, body: ordinarySummary(days) });
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

function open(options: BrowserContextOptions = {}, hash = ""): Promise<Opened> {
  return openPage(browser, `${server.origin}/${hash}`, { viewport: DESKTOP, ...options });
}

async function ready(page: Page): Promise<void> {
  await page.locator(".headline").waitFor();
}

function shot(page: Page, name: string): Promise<unknown> {
  return page.screenshot({ path: join(SCREENSHOTS, `collect-page-${name}.png`), fullPage: true });
}

function sideways(page: Page): Promise<number> {
  return page.evaluate(
    "Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)",
  );
}

/** In the browser, for each chart: the canvas's size, and how many of its pixels have the colour of a line of its legend. */
const DRAWN = `[...document.querySelectorAll(".chart")].map((chart) => {
  const canvas = chart.querySelector("canvas");
  if (canvas === null) return { width: 0, height: 0, inked: [] };
  const context = () => document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const probe = context();
  const colorOf = (swatch) => {
    probe.fillStyle = getComputedStyle(swatch).borderTopColor;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  };
  const copy = context();
  [copy.canvas.width, copy.canvas.height] = [canvas.width, canvas.height];
  copy.drawImage(canvas, 0, 0);
  const pixels = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  const inked = [...chart.querySelectorAll(".chart-swatch")].map(colorOf).map((color) => {
    let count = 0;
    for (let at = 0; at < pixels.length; at += 4)
      if (pixels[at + 3] > 200 && [0, 1, 2].every((part) => Math.abs(pixels[at + part] - color[part]) < 12)) count++;
    return count;
  });
  return { width: canvas.width, height: canvas.height, inked };
})`;

interface Drawn {
  readonly width: number;
  readonly height: number;
  readonly inked: readonly number[];
}

const legend = (page: Page, title: string): Promise<string[]> =>
  page.locator(".chart", { hasText: title }).locator(".chart-legend b").allTextContents();

const lookedAt = (page: Page, title: string): Promise<string | null> =>
  page.locator(".chart", { hasText: title }).locator(".chart-head span").textContent();

describe("an ordinary summary", () => {
  it("is shown in numbers, charts, bars and a table, and nothing else is asked for", async () => {
    const { page, faults } = await open();
    await ready(page);
    expect(await page.locator(".headline dd").allTextContents()).toEqual([
      "930",
      "612",
      "318",
      "1,043",
      "1.23 M",
    ]);
    const drawn = await page.evaluate<readonly Drawn[]>(DRAWN);
    expect(drawn).toHaveLength(CHARTS);
    for (const { width, height, inked } of drawn) {
      expect(width).toBeGreaterThan(500);
      expect(height).toBe(200);
      for (const pixels of inked) expect(pixels).toBeGreaterThan(100);
    }
    expect(await legend(page, "Servers that reported")).toEqual(["620", "315"]);
    expect(await lookedAt(page, "Servers that reported")).toBe("30 Nov 2026");
    expect(await page.locator(".bar").count()).toBe(10 + 3);
    expect(await page.locator(".server-row").count()).toBe(60);
    expect(server.asked.at(-1)).toEqual({ path: "/api/summary?days=90", days: 90, authorization: undefined });
    expect(faults).toEqual([]);
  });

  it("tells a day's values in every chart, by mouse and by keys, and that nobody reported", async () => {
    const { page, faults } = await open();
    await ready(page);
    const plot = page.locator(".chart-plot").first();
    const box = await plot.locator(".u-over").boundingBox();
    if (box === null) throw new Error("there is no chart");
    const dayWidth = box.width / 90;
    await page.mouse.move(box.x + dayWidth * (89 - 20 + 0.5), box.y + 50);
    const twenty = ordinarySummary(90)["days"] as readonly Record<string, number>[];
    await expect.poll(() => lookedAt(page, "PDUs (sidecars)")).toBe("10 Nov 2026");
    expect(dayBefore(20)).toBe("2026-11-10");
    const { synapse, fedtrace } = twenty[69] ?? {};
    expect(await legend(page, "Servers that reported")).toEqual([String(synapse), String(fedtrace)]);
    const [silent] = SILENT_DAYS;
    await page.mouse.move(box.x + dayWidth * (89 - (silent ?? 0) + 0.5), box.y + 50);
    await expect.poll(() => legend(page, "Servers that reported")).toEqual(["–", "–"]);
    await page.mouse.move(0, 0);
    await expect.poll(() => lookedAt(page, "PDUs (sidecars)")).toBe("30 Nov 2026");

    await plot.focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("PageDown");
    await expect.poll(() => lookedAt(page, "New servers")).toBe("22 Nov 2026");
    expect(await plot.getAttribute("aria-valuetext")).toBe("22 Nov 2026: Synapse 604, fedtrace 303");
    await page.keyboard.press("Home");
    await expect.poll(() => lookedAt(page, "New servers")).toBe("2 Sep 2026");
    await page.keyboard.press("Escape");
    await expect.poll(() => lookedAt(page, "New servers")).toBe("30 Nov 2026");
    expect(faults).toEqual([]);
  });

  it("asks for other days, which the address keeps", async () => {
    const { page, faults } = await open();
    await ready(page);
    await page.getByText("365 days").click();
    await expect.poll(() => server.asked.at(-1)?.days).toBe(365);
    await page.locator(".overview:not(.is-stale)").waitFor();
    expect(page.url()).toContain("#days=365");
    await page.reload();
    await ready(page);
    expect(server.asked.at(-1)?.days).toBe(365);
    const drawn = await page.evaluate<readonly Drawn[]>(DRAWN);
    for (const { inked } of drawn) for (const pixels of inked) expect(pixels).toBeGreaterThan(100);
    expect(faults).toEqual([]);
  });

  it("sorts and filters the servers", async () => {
    const { page, faults } = await open();
    await ready(page);
    const names = (): Promise<string[]> => page.locator(".server-name").allTextContents();
    await page.getByRole("button", { name: "CPU" }).click();
    await page.locator('th[aria-sort="descending"]', { hasText: "CPU" }).waitFor();
    expect((await names())[0]).toBe("hs59.example.org");
    await page.getByRole("button", { name: "CPU" }).click();
    await page.locator('th[aria-sort="ascending"]', { hasText: "CPU" }).waitFor();
    expect((await names())[1]).toBe("hs1.example.org");
    await page.getByLabel("Filter").fill("HS5 1.163.10");
    await expect
      .poll(names)
      .toEqual(["hs5.example.org", "hs53.example.org", "hs55.example.org", "hs59.example.org"]);
    expect(await page.locator(".servers-head p").textContent()).toBe(
      "4 of the 60 that reported last; 983 more are in the exports",
    );
    await page.locator(".servers-head select").selectOption("fedtrace");
    await page.getByText("No server matches.").waitFor();
    expect(faults).toEqual([]);
  });

  it("is asked for again every minute while it is seen", async () => {
    const { page, faults } = await open();
    await ready(page);
    await page.clock.install();
    await page.getByText("30 days").click();
    await expect.poll(() => server.asked.at(-1)?.days).toBe(30);
    await page.locator(".overview:not(.is-stale)").waitFor();
    const before = server.asked.length;
    await page.clock.runFor(59_000);
    expect(server.asked.length).toBe(before);
    const totals = { servers: 1, active: 4321, reports: 1, synapse: 1, fedtrace: 0 };
    server.answer = ({ days }) => ({ status: 200, body: { ...ordinarySummary(days), totals } });
    await page.clock.runFor(2000);
    await page.locator(".headline dd", { hasText: "4,321" }).waitFor();
    expect(server.asked.length).toBe(before + 1);

    const see = (state: string): Promise<unknown> =>
      page.evaluate(`Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true });
        document.dispatchEvent(new Event("visibilitychange"))`);
    await see("hidden");
    await page.clock.runFor(300_000);
    expect(server.asked.length).toBe(before + 1);
    await see("visible");
    await expect.poll(() => server.asked.length).toBe(before + 2);
    expect(faults).toEqual([]);
  });
});

describe("hostile reports", () => {
  it.each([DESKTOP, PHONE])("are text, fit into $width pixels, and break no chart", async (viewport) => {
    server.answer = ({ days }) => ({ status: 200, body: hostileSummary(days) });
    const { page, faults } = await open({ viewport });
    await ready(page);
    await shot(page, `hostile-${viewport.width}`);
    const text = (await page.locator("main").textContent()) ?? "";
    expect(text).toContain("<script>alert");
    expect(text).toContain("U+202E");
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u200b\u202a-\u202e\u2066]/);
    expect(await page.locator("main img, main script, main iframe, main svg").count()).toBe(0);
    expect(await page.locator(".server-row").count()).toBe(HOSTILE_TEXTS.length);
    expect(
      await page.locator(".server-name .long-text", { hasText: "<svg" }).getAttribute("title"),
    ).toHaveLength(255);
    const rows = await page.locator(".server-name").all();
    for (const row of rows) expect((await row.boundingBox())?.height).toBeLessThan(50);
    const drawn = await page.evaluate<readonly Drawn[]>(DRAWN);
    expect(drawn).toHaveLength(CHARTS);
    for (const { width, height } of drawn) expect(width * height).toBeGreaterThan(50_000);
    // What can't be read as a number (requests_out) is not known; everything else is drawn.
    expect(drawn.map(({ inked }) => inked.map((pixels) => pixels > 50))).toEqual([
      [true, true],
      [true],
      [true, true],
      [true],
      [true, false],
      [true],
    ]);
    expect(await legend(page, "Messages (Synapse)")).toEqual(["9.01 P", "3"]);
    expect(await sideways(page)).toBe(0);
    expect(faults).toEqual([]);
  });

  it.each([
    { why: "an empty object for everything", body: { totals: {}, days: [{}], versions: [{}], contexts: [{}], servers: [{}] } }, // prettier-ignore
    { why: "other types", body: { totals: { servers: 1 }, days: 3, versions: "x", contexts: null, servers: [null, 1] } }, // prettier-ignore
  ])("may even come as $why", async ({ body }) => {
    server.answer = () => ({ status: 200, body });
    const { page, faults } = await open();
    await page.locator(".headline, .notice").first().waitFor();
    expect(faults).toEqual([]);
  });
});

describe("the token", () => {
  const TOKEN = "correct-horse";
  beforeEach(() => {
    server.answer = ({ path, days, authorization }) => {
      if (authorization !== `Bearer ${TOKEN}`) return { status: 401, body: { error: "a token is needed" } };
      if (path.startsWith("/api/reports.csv")) return { status: 200, body: undefined, text: "instance,timestamp\nhs1,1\n" }; // prettier-ignore
      return { status: 200, body: ordinarySummary(days) };
    };
  });

  /** The browser notes each 401 by itself. */
  const withoutStatus = (faults: readonly string[]): readonly string[] =>
    faults.filter((fault) => !fault.includes("401"));

  it("is asked for, refused when wrong, kept in the tab, and forgotten", async () => {
    const { page, faults } = await open();
    await page.getByRole("heading", { name: "This collector asks for a token" }).waitFor();
    expect(await page.evaluate("document.activeElement.id")).toBe("token");
    await shot(page, "token");
    await page.keyboard.type("wörng");
    await page.keyboard.press("Enter");
    await page.getByText("A token is one word").waitFor();
    for (const typed of ["wrong", "wrong"]) {
      const before = server.asked.length;
      await page.getByLabel("Bearer token").fill(typed);
      await page.keyboard.press("Enter");
      await page.getByText("The collector did not take this token.").waitFor();
      await expect.poll(() => server.asked.length).toBe(before + 1);
      await expect.poll(() => page.evaluate("sessionStorage.length")).toBe(0);
    }
    await page.getByLabel("Bearer token").fill(` ${TOKEN}\n`);
    await page.keyboard.press("Enter");
    await ready(page);
    expect(await page.evaluate("Object.values(sessionStorage)")).toEqual([TOKEN]);
    expect(await page.evaluate("localStorage.length + document.cookie.length")).toBe(0);
    expect(page.url()).not.toContain(TOKEN);

    await page.reload();
    await ready(page);
    await page.getByRole("button", { name: "Forget the token" }).click();
    await page.getByRole("heading", { name: "This collector asks for a token" }).waitFor();
    expect(await page.getByText("did not take").count()).toBe(0);
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    expect(await page.locator(".server-row").count()).toBe(0);
    expect(withoutStatus(faults)).toEqual([]);
  });

  it("goes with an export, which is saved as it came", async () => {
    const { page, faults } = await open();
    await page.getByLabel("Bearer token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await ready(page);
    const downloaded = page.waitForEvent("download");
    await page.getByRole("button", { name: "CSV" }).click();
    const download = await downloaded;
    expect(download.suggestedFilename()).toBe("fedtrace-reports.csv");
    expect(readFileSync(await download.path(), "utf8")).toBe("instance,timestamp\nhs1,1\n");
    expect(server.asked.at(-1)?.path).toBe(`/api/reports.csv?since=${Date.parse(dayBefore(89)) / 1000}`);
    await page.getByText("Saved 0.02 KiB.").waitFor();
    await page.locator(".exports select").selectOption("all");
    expect(await page.locator(".exports pre").textContent()).toContain(`'${server.origin}/api/reports.csv'`);
    expect(withoutStatus(faults)).toEqual([]);
  });

  it("says why an export failed", async () => {
    const { page } = await open();
    await page.getByLabel("Bearer token").fill(TOKEN);
    await page.keyboard.press("Enter");
    await ready(page);
    server.answer = () => ({ status: 503, body: { error: "the database is away" } });
    await page.getByRole("button", { name: "JSON" }).click();
    await page.getByText("the database is away").waitFor();
    server.answer = () => undefined;
    await page.getByRole("button", { name: "JSON" }).click();
    await page.getByText("The collector does not answer.").waitFor();
  });
});

describe("without a token", () => {
  it("exports are links that the browser saves by itself", async () => {
    const { page, faults } = await open();
    await ready(page);
    server.answer = () => ({ status: 200, body: [{ homeserver: "hs1" }] });
    const downloaded = page.waitForEvent("download");
    await page.getByRole("link", { name: "JSON" }).click();
    expect(readFileSync(await (await downloaded).path(), "utf8")).toBe('[{"homeserver":"hs1"}]');
    expect(faults).toEqual([]);
  });

  it("says why it may not read", async () => {
    server.answer = () => ({ status: 403, body: { error: "ask for it at <b>127.0.0.1</b>" } });
    const { page } = await open();
    await page.getByText("ask for it at <b>127.0.0.1</b>").waitFor();
    expect(await page.locator(".headline").count()).toBe(0);
  });

  it("says that the collector is away, keeps what was there, and tries again", async () => {
    const { page } = await open();
    await ready(page);
    await page.clock.install();
    server.answer = () => undefined;
    await page.getByText("30 days").click();
    await page.locator(".problem").waitFor();
    expect(await page.locator(".problem").textContent()).toBe(
      "Not up to date: the collector does not answer. Trying again every few seconds.",
    );
    expect(await page.locator(".headline").count()).toBe(1);
    server.answer = ({ days }) => ({ status: 200, body: ordinarySummary(days) });
    await page.clock.runFor(11_000);
    await page.locator(".problem").waitFor({ state: "detached" });
    await page.locator(".overview:not(.is-stale)").waitFor();
  });

  it("says that the collector is away at the first look, too", async () => {
    server.answer = () => ({ status: 502, body: undefined, text: "<html>Bad Gateway</html>" });
    const { page } = await open();
    await page
      .getByText("Nothing can be shown: the answer was 502. Trying again every few seconds.")
      .waitFor();
  });

  it("tells how to get the first report", async () => {
    server.answer = ({ days }) => ({ status: 200, body: emptySummary(days) });
    const { page, faults } = await open();
    await page.getByRole("heading", { name: "No report has come yet" }).waitFor();
    const text = await page.locator("main").textContent();
    for (const words of ["report_stats: true", "usage_report:", `${server.origin}/report-usage-stats/push`]) {
      expect(text).toContain(words);
    }
    await shot(page, "empty");
    expect(faults).toEqual([]);
  });
});

describe("light and dark, wide and narrow", () => {
  it.each(
    [DESKTOP, PHONE].flatMap((viewport) =>
      (["light", "dark"] as const).map((colorScheme) => ({ viewport, colorScheme, width: viewport.width })),
    ),
  )("can be read: $colorScheme, $width pixels", async ({ viewport, colorScheme, width }) => {
    const { page, faults } = await open({ viewport, colorScheme, reducedMotion: "reduce" });
    await ready(page);
    await shot(page, `${width}-${colorScheme}`);
    expect(await page.evaluate(FAINT_TEXTS)).toEqual([]);
    expect(await sideways(page)).toBe(0);
    expect(faults).toEqual([]);
  });

  it("follows a change of the scheme and of the width, on the canvas too", async () => {
    const { page, faults } = await open({ colorScheme: "light" });
    await ready(page);
    await page.emulateMedia({ colorScheme: "dark" });
    const isInked = async (): Promise<boolean> =>
      (await page.evaluate<readonly Drawn[]>(DRAWN)).every(({ inked }) =>
        inked.every((pixels) => pixels > 100),
      );
    await expect.poll(isInked).toBe(true);
    await page.setViewportSize(PHONE);
    await expect.poll(async () => (await page.evaluate<readonly Drawn[]>(DRAWN))[0]?.width).toBeLessThan(400);
    await expect.poll(isInked).toBe(true);
    expect(await sideways(page)).toBe(0);
    expect(faults).toEqual([]);
  });

  it("shows where the focus is", async () => {
    const { page } = await open();
    await ready(page);
    for (let presses = 0; presses < 14; presses++) {
      await page.keyboard.press("Tab");
      const focus = `(() => {
        const at = document.activeElement;
        const shown = at.type === "radio" ? at.closest("label") : at;
        return getComputedStyle(shown).outlineStyle + " " + (at.id || at.textContent);
      })()`;
      expect(await page.evaluate<string>(focus)).toMatch(/^solid/);
    }
  });
});
