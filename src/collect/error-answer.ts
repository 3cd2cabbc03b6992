/** A refusal as it is answered: `{"errcode":"FEDTRACE_…","error":"…"}` with the code's status, as the proxy answers too. */

import { type AdminAnswer, jsonAnswer } from "../admin/answer.ts";
import { ERROR_STATUS, type ErrorCode } from "../core/errors.ts";

/** @param sentence what is wrong, where, and what is allowed */
export function errorAnswer(
  code: ErrorCode,
  sentence: string,
  headers: Readonly<Record<string, string>> = {},
): AdminAnswer {
  const answer = jsonAnswer(ERROR_STATUS[code], { errcode: `FEDTRACE_${code}`, error: sentence });
  return { ...answer, headers };
}

/** @param seconds after which it is worth another try */
export function laterAnswer(code: ErrorCode, sentence: string, seconds: number): AdminAnswer {
  return errorAnswer(code, sentence, { "retry-after": String(seconds) });
}
