/**
 * What somebody sees who typed `npm start` and opened the page: the real demo in a real browser. The views' details are in
 * page.test.ts, on traces that are always the same.
 */

import { afterAll, beforeAll, expect, it } from "vitest";
import type { Browser } from "playwright-core";
import { startDemo } from "../support/demo.ts";
import { openPage, startChromium } from "./chromium.ts";

const DESKTOP = { viewport: { width: 1280, height: 860 } };
/** The page, its first search and all that goes with it, over the wire. */
const FIRST_VIEW_BYTES_MAX = 60 * 1024;

let browser: Browser;
beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser.close());

it("shows the stranger's attempt, the pair's trace, and what the whitelist says", async () => {
  const demo = await startDemo();
  const { page, faults } = await openPage(browser, `${demo.page}/`, DESKTOP);
  const wire = await page.context().newCDPSession(page);

  // The stranger comes with the third tick; the page looks again by itself.
  await page.getByRole("link", { name: "Stopped at the border", exact: true }).click();
  await page.locator(".trace", { hasText: "stranger.demo" }).first().click();
  const story = page.locator(".story", { hasText: "stranger.demo" }).first();
  await story.waitFor();
  expect(await story.textContent()).toMatch(
    /^stranger\.demo:\d+ is not whitelisted: its context was not taken, a new trace began, 5 headers removed\./,
  );
  const strangersPage = await page.content();
  for (const sent of ["5ca1ab1e", "record-this"]) expect(strangersPage).not.toContain(sent);

  await page.getByRole("link", { name: "Traces", exact: true }).first().click();
  await page.getByRole("link", { name: "Everything", exact: true }).click();
  await page.locator(".trace", { hasText: "4 spans, 2 services" }).first().click();
  const rows = page.locator('[role="row"][aria-level]');
  await rows.nth(3).waitFor();
  const services = await rows.allTextContents();
  expect(services.map((text) => /one\.demo|two\.demo/.exec(text)?.[0])).toEqual(
    services[0]?.includes("one.demo") === true
      ? ["one.demo", "two.demo", "two.demo", "one.demo"]
      : ["two.demo", "one.demo", "one.demo", "two.demo"],
  );

  await page.getByRole("link", { name: "Whitelist", exact: true }).click();
  await page.getByLabel("Server name").fill("two.demo:8448");
  await page.getByRole("heading", { name: "two.demo:8448 is whitelisted" }).waitFor();
  expect(await page.locator(".verdict").textContent()).toContain("(one|two)\\.demo");
  await page.getByLabel("Server name").fill("two.demo.evil.example");
  await page.getByRole("heading", { name: "two.demo.evil.example is not whitelisted" }).waitFor();

  let bytes = 0;
  await wire.send("Network.enable");
  await wire.send("Network.setCacheDisabled", { cacheDisabled: true });
  wire.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await page.goto(`${demo.page}/#/search`);
  await page.reload();
  await page.locator(".trace").nth(10).waitFor();
  await page.waitForLoadState("networkidle");
  console.log(`first view of the demo: ${bytes} bytes over the wire`);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThanOrEqual(FIRST_VIEW_BYTES_MAX);

  expect(faults).toEqual([]);
  expect(await demo.stop()).toBe(0);
});
