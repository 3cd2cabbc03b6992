/**
 * How every name ends that a regular expression matches: `hs[0-9]+\.example` needs `.example`. A table of such ends says
 * which names the engine need not be asked about at all; with a long list that is nearly all of them.
 *
 * Reads the engine's syntax (https://github.com/google/re2/wiki/Syntax), and only patterns that it has passed. What isn't
 * understood gives no end, which costs time and no verdict.
 */

import { ANY, type NameMask } from "./name-mask.ts";

const CLASS = /\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]/y;
const REPEAT = /[*+?]\??|\{[0-9]+(?:,[0-9]*)?\}\??/y;
/** What a group may begin with; flags would change what follows. */
const GROUP = /\((?:\?:)?(?!\?)/y;
const ESCAPED_CLASS = /\\[dDwWsSbBAz]/y;
const ESCAPED_SIGN = /\\[!-/:-@[-`{-~]/y;
const PLAIN = /[0-9A-Za-z:_-]/y;
/** At the end of all it changes nothing. */
const LAST_END = /\$$/y;

/** @returns the longest end that is known, as an open mask; with an empty text: every name may match */
export function tailOf(regex: string): NameMask {
  let at = 0;
  let depth = 0;
  let tail = "";

  function take(form: RegExp): string {
    form.lastIndex = at;
    const taken = form.exec(regex)?.[0] ?? "";
    at += taken.length;
    return taken;
  }

  while (at < regex.length) {
    const character = regex[at];
    if (take(PLAIN) !== "") tail += character?.toLowerCase() ?? "";
    else if (take(ESCAPED_SIGN) !== "") tail += regex[at - 1] ?? "";
    else if (take(LAST_END) !== "") continue;
    else if (take(GROUP) !== "") [depth, tail] = [depth + 1, ""];
    else if (take(CLASS) !== "" || take(ESCAPED_CLASS) !== "" || take(REPEAT) !== "") tail = "";
    else if (
      character === "." ||
      character === "^" ||
      character === ")" ||
      (character === "|" && depth > 0)
    ) {
      at++;
      tail = character === "." ? tail + ANY : "";
      if (character === ")") depth--;
    } else return { isOpen: true, text: "" };
  }
  return { isOpen: true, text: tail };
}
