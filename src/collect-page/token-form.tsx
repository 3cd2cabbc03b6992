/** Asks for the bearer token. It goes nowhere but into this tab's memory and the page's own requests. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { parseToken } from "./collector-api.ts";

interface TokenFormProps {
  /** The last one was wrong. */
  readonly isRefused: boolean;
  readonly onToken: (token: string) => void;
}

/** Longer ones would not fit a request's head. */
const TOKEN_MAX = 4096;

export function TokenForm({ isRefused, onToken }: TokenFormProps): JSX.Element {
  const [typed, setTyped] = useState("");
  const [isMalformed, setIsMalformed] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = (event: Event): void => {
    event.preventDefault();
    const token = parseToken(typed);
    setIsMalformed(token === undefined);
    if (token !== undefined) onToken(token);
  };
  const refusal = isMalformed
    ? "A token is one word of letters, digits and signs."
    : isRefused
      ? "The collector did not take this token."
      : undefined;
  return (
    <form class="token-form" onSubmit={submit}>
      <h1>This collector asks for a token</h1>
      <p class="muted">
        It is in the file that <code>--token-file</code> names, or in <code>FEDTRACE_COLLECT_TOKEN</code>.
        This tab keeps it until it is closed.
      </p>
      <div class="field">
        <label for="token">Bearer token</label>
        <input
          id="token"
          ref={input}
          type="password"
          value={typed}
          maxLength={TOKEN_MAX}
          autocomplete="off"
          spellcheck={false}
          aria-invalid={refusal !== undefined}
          aria-describedby={refusal === undefined ? undefined : "token-refusal"}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setIsMalformed(false);
          }}
        />
        {refusal !== undefined && (
          <p class="refusal" id="token-refusal" role="alert">
            {refusal}
          </p>
        )}
      </div>
      <button type="submit" class="button is-main">
        Show the reports
      </button>
    </form>
  );
}
