/**
 * `${NAME}` and `${NAME:-default}` in a scalar's text.
 *
 * It happens after the YAML is parsed, so a variable's value can't add keys. What is put in isn't looked at
 * again, and a default holds no further `${…}`. `$${` is a literal `${`; any other `$` stands for itself, so
 * the `$` of a regular expression needs no escape. Keys are never substituted.
 */

import type { Parsed } from "./fault.ts";

/** A process's environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `$${`, or `${` with all that follows up to the first `}`; without a `}` the rest of the text. */
const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const NAME_AND_DEFAULT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * @param text a scalar as YAML reads it
 * @returns the text with every reference replaced. As in a shell, `:-default` also replaces an empty value
 */
export function substitute(text: string, environment: Environment): Parsed<string> {
  let refused: string | undefined;
  const value = text.replaceAll(REFERENCE, (whole: string, body: string | undefined, close?: string) => {
    if (body === undefined) return "${";
    const [matched, name, fallback] = NAME_AND_DEFAULT.exec(body) ?? [];
    if (matched === undefined || name === undefined || close !== "}") {
      refused ??=
        "has a `${` that is not a reference; allowed: ${NAME}, ${NAME:-default}, and $${ for a literal ${";
      return whole;
    }
    const variable = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (variable === undefined && fallback === undefined) {
      refused ??= `the environment variable ${name} is not set; set it, or write \${${name}:-default}`;
      return whole;
    }
    return fallback === undefined ? (variable ?? "") : variable || fallback;
  });
  return refused === undefined ? { value } : { refused };
}
