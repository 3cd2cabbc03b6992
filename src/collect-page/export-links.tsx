/**
 * The stored reports as files. Without a token they are plain links, which a browser saves as they come; with one the page
 * fetches them, holds them, and then saves them.
 */

import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { FieldSelect } from "../page/field.tsx";
import { formatMemory } from "./amount.ts";
import { unixSecondsOf } from "./day-axis.ts";
import {
  curlCommand,
  EXPORT_BYTES_MAX,
  type ExportFormat,
  exportPath,
  fetchExport,
  fileNameOf,
} from "./export-file.ts";
import type { Summary } from "./summary.ts";

const FORMATS = [
  { format: "csv", label: "CSV" },
  { format: "json", label: "JSON" },
] as const satisfies readonly { readonly format: ExportFormat; readonly label: string }[];

interface ExportLinksProps {
  readonly summary: Summary;
  readonly token: string | undefined;
}

export function ExportLinks({ summary, token }: ExportLinksProps): JSX.Element {
  const [span, setSpan] = useState("shown");
  const { said, isBusy, save, stop } = useExport(token);
  const since = span === "shown" ? unixSecondsOf(summary.from) : undefined;
  return (
    <section class="panel exports">
      <h2>Export</h2>
      <div class="exports-line">
        <FieldSelect
          label="Reports"
          value={span}
          options={[
            { value: "shown", label: `since ${summary.from}` },
            { value: "all", label: "all that are kept" },
          ]}
          onChoose={setSpan}
        />
        {FORMATS.map(({ format, label }) =>
          token === undefined ? (
            <a
              key={format}
              class="button"
              href={exportPath(format, since)}
              download={fileNameOf(exportPath(format, since))}
            >
              {label}
            </a>
          ) : (
            <button
              key={format}
              type="button"
              class="button"
              disabled={isBusy}
              onClick={() => save(exportPath(format, since))}
            >
              {label}
            </button>
          ),
        )}
        {isBusy && (
          <button type="button" class="button" onClick={stop}>
            Stop
          </button>
        )}
        <p role="status">{said}</p>
      </div>
      {token !== undefined && (
        <>
          <p class="muted">
            The page holds an export until it is whole, up to {formatMemory(EXPORT_BYTES_MAX / 1024)}. For
            bigger ones, from a shell:
          </p>
          <pre class="code-block">{curlCommand(location.origin, exportPath("csv", since))}</pre>
        </>
      )}
    </section>
  );
}

interface Export {
  /** How far it is, or what became of it. */
  readonly said: string;
  readonly isBusy: boolean;
  readonly save: (path: string) => void;
  readonly stop: () => void;
}

function useExport(token: string | undefined): Export {
  const [said, setSaid] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const abort = useRef<AbortController | undefined>(undefined);
  const run = async (path: string): Promise<void> => {
    abort.current = new AbortController();
    setIsBusy(true);
    setSaid("Asking…");
    const exported = await fetchExport(path, token, abort.current.signal, (bytes) =>
      setSaid(`${formatMemory(bytes / 1024)} so far`),
    );
    setIsBusy(false);
    if ("problem" in exported) {
      setSaid(exported.problem);
      return;
    }
    offer(exported.blob, fileNameOf(path));
    setSaid(`Saved ${formatMemory(exported.blob.size / 1024)}.`);
  };
  return { said, isBusy, save: (path) => void run(path), stop: () => abort.current?.abort() };
}

/** As if a link to it had been pressed. */
function offer(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Browsers read it after the click; a minute is more than they need to begin.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
