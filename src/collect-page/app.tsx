/** The page's frame, and who may see it: asks for the token where the collector wants one, and holds the chosen days. */

import type { JSX } from "preact";
import { useCallback, useState } from "preact/hooks";
import { BrandSign } from "../page/brand.tsx";
import { Notice } from "../page/notice.tsx";
import { Text } from "../page/text.tsx";
import type { Asked } from "./asked.ts";
import type { Answer } from "./collector-api.ts";
import { daysInHash, formatDaysHash } from "./days-hash.ts";
import { Overview } from "./overview.tsx";
import { storedToken, storeToken } from "./token.ts";
import { TokenForm } from "./token-form.tsx";
import { type Session, useSummary } from "./use-summary.ts";

export function App(): JSX.Element {
  const [session, setSession] = useState<Session>(() => ({ token: storedToken() }));
  const [days, setDays] = useState(() => daysInHash(location.hash));
  const forgetRefused = useCallback(({ kind }: Answer) => {
    if (kind === "token") storeToken(undefined);
  }, []);
  const asked = useSummary(days, session, forgetRefused);
  const enter = (token: string | undefined): void => {
    storeToken(token);
    setSession({ token });
  };
  const choose = (chosen: number): void => {
    history.replaceState(null, "", formatDaysHash(chosen));
    setDays(chosen);
  };
  const hasToken = session.token !== undefined && asked.barrier?.kind !== "token";
  return (
    <>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <header class="top">
        <span class="brand">
          <BrandSign />
          <span class="brand-name">fedtrace</span>
        </span>
        <span class="server">collector of usage reports</span>
        {hasToken && (
          <button type="button" class="button forget" onClick={() => enter(undefined)}>
            Forget the token
          </button>
        )}
      </header>
      <main id="main" tabIndex={-1}>
        {asked.problem !== undefined && (
          <p class="problem" role="status">
            {asked.summary === undefined ? "Nothing can be shown: " : "Not up to date: "}
            <Text value={asked.problem} max={300} />. Trying again every few seconds.
          </p>
        )}
        <View asked={asked} days={days} session={session} onDays={choose} onToken={enter} />
      </main>
    </>
  );
}

interface ViewProps {
  readonly asked: Asked;
  readonly days: number;
  readonly session: Session;
  readonly onDays: (days: number) => void;
  readonly onToken: (token: string) => void;
}

function View({ asked, days, session, onDays, onToken }: ViewProps): JSX.Element {
  const { barrier, summary } = asked;
  if (barrier?.kind === "token") return <TokenForm isRefused={barrier.isRefused} onToken={onToken} />;
  if (barrier?.kind === "forbidden") {
    return (
      <Notice title="You may not see this">
        <p>
          <Text value={barrier.why} max={600} />
        </p>
      </Notice>
    );
  }
  if (summary === undefined) {
    return asked.problem === undefined ? <p class="waiting">Asking the collector…</p> : <></>;
  }
  return (
    <Overview
      summary={summary}
      days={days}
      isStale={asked.days !== days}
      token={session.token}
      onDays={onDays}
    />
  );
}

function skipToMain(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#main")?.focus();
}
