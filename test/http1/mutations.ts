/**
 * Seeded random damage to a head: the same seed gives the same heads, on every machine.
 * Method: one to three operations on bytes, on lines or with a phrase, most of them next to a separator, since that is
 * where parsers disagree.
 */

import { createChance } from "../support/chance.ts";

/** A source of whole numbers from 0 to below `bound`. */
export type Dice = (bound: number) => number;

export function createDice(seed: number): Dice {
  const chance = createChance(seed);
  return (bound) => Math.floor(chance() * bound);
}

/** Bytes on which parsers differ: line ends, separators, blanks, digits, controls, high bytes. */
const BYTES =
  '\r\n\r\n\r\n:: \t,;="#?/*@[]%\\.-+_' + "0123456789aAxXzZ" + "\x00\x01\x0b\x0c\x1f\x7f\x80\x85\xa0\xe9\xff";

/** What an attacker would put in, as a whole. */
const PHRASES: readonly string[] = [
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "content-length:+5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "transfer-encoding:\tCHUNKED\r\n",
  "Host: other.test\r\n",
  "Connection: close\r\n",
  "Connection: keep-alive, Upgrade\r\n",
  "Connection: Host\r\n",
  "Upgrade: websocket\r\n",
  "Proxy-Connection: close\r\n",
  "Connection: close\t, foo\r\n",
  "Expect: 100-continue\r\n",
  " HTTP/1.1",
  " HTTP/2.0",
  "HTTP/1.0",
  "\r\n ",
  "\r\n\r\n",
  "\r\n",
  "#",
  "://",
  "99999999999999999999",
];

/** What a mutation by chance would seldom hit. */
const SUBSTITUTIONS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/ HTTP\/1\.1/, " HTTP/1.0"],
  [/ HTTP\/1\.1/, " HTTP/2.0"],
  [/content-length: /i, "Content-Length: 0000000000000000"],
  [/^/, "\r\n\r\n"],
  [/^/, "\r\n\r\n\r\n"],
  [/^/, "\n"],
];

/** @returns `head` with one to three pieces of damage; now and then they cancel each other out */
export function mutate(head: string, dice: Dice): string {
  let mutated = head;
  for (let left = 1 + dice(3); left > 0; left--) mutated = mutateOnce(mutated, dice);
  return mutated;
}

/** Each operation as often as it stands here. */
const OPERATIONS = [
  "flip",
  "replace",
  "replace",
  "replace",
  "insert",
  "insert",
  "insert",
  "delete",
  "repeat",
  "phrase",
  "phrase",
  "substitute",
  "lines",
  "lines",
  "lines",
] as const;

function mutateOnce(head: string, dice: Dice): string {
  const at = position(head, dice);
  const byte = BYTES.charAt(dice(BYTES.length));
  switch (OPERATIONS[dice(OPERATIONS.length)]) {
    case "flip":
      return splice(head, at, 1, String.fromCharCode(head.charCodeAt(at) ^ (1 << dice(8))));
    case "replace":
      return splice(head, at, 1, byte);
    case "insert":
      return splice(head, at, 0, byte);
    case "delete":
      return splice(head, at, 1 + dice(2), "");
    case "repeat":
      return splice(head, at, 0, head.slice(at, at + 1 + dice(12)));
    case "phrase":
      return splice(head, at, 0, PHRASES[dice(PHRASES.length)] ?? "");
    case "substitute": {
      const [pattern, replacement] = SUBSTITUTIONS[dice(SUBSTITUTIONS.length)] ?? [/$/, ""];
      return head.replace(pattern, replacement);
    }
    default:
      return mutateLines(head, dice);
  }
}

/** Somewhere; in two of three cases on a separator or one byte beside it. */
function position(head: string, dice: Dice): number {
  const anywhere = dice(head.length);
  if (dice(3) === 0) return anywhere;
  const found = head.slice(anywhere).search(/[\r\n: ,/]/);
  return Math.max(0, Math.min(head.length - 1, (found === -1 ? 0 : anywhere + found) + dice(3) - 1));
}

function splice(text: string, at: number, removed: number, added: string): string {
  return text.slice(0, at) + added + text.slice(at + removed);
}

function mutateLines(head: string, dice: Dice): string {
  const lines = head.split("\r\n");
  const from = dice(lines.length);
  const to = dice(lines.length);
  const line = lines[from] ?? "";
  switch (dice(4)) {
    case 0:
      lines.splice(to, 0, line);
      break;
    case 1:
      lines.splice(from, 1);
      break;
    case 2:
      lines[from] = lines[to] ?? "";
      lines[to] = line;
      break;
    default:
      lines.splice(to, 0, PHRASES[dice(PHRASES.length)]?.trimEnd() ?? "");
  }
  return lines.join("\r\n");
}
