/**
 * PromQL as far as the files of deploy/ have it: which metrics and labels an expression names, and what it is without its
 * thresholds. Method: regular expressions over the text, which promtool has parsed before (test/real/prometheus.test.ts).
 */

const LABEL_LIST = /\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)/g;
const MATCHERS = /\{([^}]*)\}/g;
const STRINGS = /"[^"]*"|'[^']*'/g;
const WORDS = new Set(["and", "or", "unless", "offset", "bool", "by", "on", "ignoring", "without"]);

/** Metrics and records, each once. */
export function metricNames(expression: string): readonly string[] {
  const bare = expression
    .replaceAll(STRINGS, '""')
    .replaceAll(MATCHERS, " ")
    .replaceAll(/\[[^\]]*\]/g, " ")
    .replaceAll(LABEL_LIST, " ");
  const names = bare.match(/(?<![\w:.])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()/g) ?? [];
  return [...new Set(names)].filter((name) => !WORDS.has(name));
}

/** Of matchers and of lists such as `by (…)`, each once. */
export function labelNames(expression: string): readonly string[] {
  const lists = [...expression.matchAll(LABEL_LIST)].flatMap(([, list = ""]) => list.split(","));
  const matched = [...expression.replaceAll(STRINGS, '""').matchAll(MATCHERS)].flatMap(([, list = ""]) =>
    list.split(",").map((matcher) => matcher.replace(/(?:=~|!~|!=|=).*$/, "")),
  );
  return [...new Set([...lists, ...matched].map((name) => name.trim()))].filter((name) => name !== "");
}

/**
 * What an alert looks at: the expression without its comparisons with numbers, and at the present. It has a value wherever there
 * are the series that it names, and the two sides of an `and` meet.
 */
export function withoutThresholds(expression: string): string {
  return expression
    .replaceAll(/(?:==|!=|>=|<=|>|<)\s*-?[\d.]+(?:e\d+)?\b/g, "")
    .replaceAll(/\boffset\s+\w+/g, "");
}
