/**
 * Debian's chromium, driven by playwright-core (which brings no browser of its own).
 * `CHROMIUM_BIN` names another one.
 */

import { existsSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { onTestFinished } from "vitest";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"] as const;

/** Nothing of the browser's own goes out to the network; no sandbox, because tests may run as root. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
] as const;

/** @throws with advice when there is no browser */
export async function startChromium(): Promise<Browser> {
  const named = process.env["CHROMIUM_BIN"];
  const executablePath = named ?? PLACES.find((place) => existsSync(place));
  if (executablePath === undefined || !existsSync(executablePath)) {
    throw new Error(
      `no browser at ${named ?? PLACES.join(", ")}: apt-get install chromium, or set CHROMIUM_BIN to one`,
    );
  }
  return chromium.launch({ executablePath, headless: true, args: [...ARGUMENTS] });
}

export interface Opened {
  readonly page: Page;
  /** Errors of the console and of scripts, refusals of the policy, dialogs, requests that left the origin. */
  readonly faults: readonly string[];
}

/** Opens an address in a context of its own, which ends with the test. @param url its origin is where all must stay */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
): Promise<Opened> {
  const context = await browser.newContext(options);
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const { origin } = new URL(url);
  const faults: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`)) faults.push(`left the origin: ${request.url()}`);
  });
  await page.goto(url);
  return { page, faults };
}
