/**
 * Debian's chromium, driven by playwright-core (which brings no browser of its own).
 * `CHROMIUM_BIN` names another one.
 */

import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

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
