/** Asks the whitelist about a name: what would happen, which entry decides, and why. */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { fetchJson } from "./api.ts";
import { fieldOf, listOf, textOf } from "./jaeger-model.ts";
import { formatHash } from "./hash-route.ts";
import { Notice } from "./notice.tsx";
import type { Peer } from "./peers-model.ts";
import { Text } from "./text.tsx";
import { useLive } from "./use-live.ts";
import { replaceRoute } from "./use-route.ts";
import { type Decision, Verdict } from "./verdict.tsx";

interface WhitelistViewProps {
  readonly host: string;
  readonly direction: "in" | "out";
  /** Those that were met, to choose from. */
  readonly peers: readonly Peer[];
}

/** After the last key, so that a name is asked for once and not letter by letter. */
const TYPING_PAUSE_MS = 200;
const SUGGESTIONS_MAX = 8;

export function WhitelistView({ host, direction, peers }: WhitelistViewProps): JSX.Element {
  const [typed, setTyped] = useState(host);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => setTyped(host), [host]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const go = (next: string, to: "in" | "out"): void => {
    clearTimeout(timer.current);
    replaceRoute({ view: "whitelist", host: next.trim(), direction: to });
  };
  const type = (text: string): void => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => go(text, direction), TYPING_PAUSE_MS);
  };
  return (
    <section class="view">
      <h1>Whitelist</h1>
      <p class="lead">
        Would trace context cross the border, to or from this server? The same answer as{" "}
        <code>fedtrace decide</code>.
      </p>
      <form
        class="ask"
        onSubmit={(event) => {
          event.preventDefault();
          go(typed, direction);
        }}
      >
        <div class="field field-wide">
          <label for="ask-host">Server name</label>
          <input
            id="ask-host"
            value={typed}
            placeholder="matrix.org or hs1.example:8448"
            spellcheck={false}
            autocomplete="off"
            autocapitalize="off"
            maxLength={2000}
            onInput={(event) => type(event.currentTarget.value)}
          />
        </div>
        <fieldset class="directions">
          <legend>Direction</legend>
          {(["in", "out"] as const).map((value) => (
            <label key={value}>
              <input
                type="radio"
                name="direction"
                value={value}
                checked={direction === value}
                onChange={() => go(typed, value)}
              />
              {value === "in" ? "it asks us" : "we ask it"}
            </label>
          ))}
        </fieldset>
      </form>
      <Suggestions peers={peers} direction={direction} host={host} />
      <Answer host={host} direction={direction} />
    </section>
  );
}

function Suggestions({ peers, direction, host }: WhitelistViewProps): JSX.Element | null {
  const names = [...new Set(peers.map(({ name }) => name))].filter((name) => name !== "");
  if (names.length === 0) return null;
  return (
    <ul class="chips" aria-label="Servers that were met">
      {names.slice(0, SUGGESTIONS_MAX).map((name) => (
        <li key={name}>
          <a
            class="chip"
            href={formatHash({ view: "whitelist", host: name, direction })}
            aria-current={name === host ? "true" : undefined}
          >
            <Text value={name} />
          </a>
        </li>
      ))}
    </ul>
  );
}

function Answer({ host, direction }: Pick<WhitelistViewProps, "host" | "direction">): JSX.Element | null {
  const path = `/api/fedtrace/decide?${new URLSearchParams({ direction, host }).toString()}`;
  const answer = useLive(path, host === "" ? undefined : (signal) => fetchJson(path, parseDecision, signal));
  if (host === "") {
    return (
      <Notice title="Ask about a server">
        <p>
          Type its name: an entry must match the whole of it, with or without its port, letter case aside.
        </p>
      </Notice>
    );
  }
  if (answer.value === undefined) {
    return answer.problem === undefined ? null : (
      <Notice title="There is no answer">
        <p>{answer.problem}</p>
      </Notice>
    );
  }
  return <Verdict decision={answer.value} isCurrent={answer.key === path && answer.problem === undefined} />;
}

function parseDecision(answer: unknown): Decision {
  const entry = fieldOf(answer, "entry");
  return {
    host: textOf(fieldOf(answer, "host")),
    direction: fieldOf(answer, "direction") === "out" ? "out" : "in",
    isWhitelisted: fieldOf(answer, "whitelisted") === true,
    entry: typeof entry === "string" ? entry : undefined,
    sampling: textOf(fieldOf(answer, "sampling")),
    formats: listOf(fieldOf(answer, "formats")).filter((format) => typeof format === "string"),
    reason: textOf(fieldOf(answer, "reason")),
  };
}
