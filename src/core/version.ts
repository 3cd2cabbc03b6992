/** The program's version, put in by the bundler (build.mjs); "0.0.0" where the sources run unbundled. */

declare const FEDTRACE_VERSION: string | undefined;

export const VERSION = typeof FEDTRACE_VERSION === "string" ? FEDTRACE_VERSION : "0.0.0";
