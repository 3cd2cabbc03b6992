/** A trace's id, and a button that copies it. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Text } from "./text.tsx";

export function CopyId({ id }: { readonly id: string }): JSX.Element {
  const [isCopied, setIsCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(id);
      setIsCopied(true);
    } catch {
      setIsCopied(false); // Not a secure context, or not allowed: the id can still be selected.
    }
  };
  return (
    <>
      <code class="long">
        <Text value={id} />
      </code>{" "}
      <button type="button" class="quiet-button" onClick={() => void copy()}>
        {isCopied ? "Copied" : "Copy id"}
      </button>
    </>
  );
}
