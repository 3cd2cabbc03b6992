/** Who asked whom, as far as the spans know. */

import type { JSX } from "preact";
import { Text } from "./text.tsx";
import { type Asked, shortService } from "./trace-summary.ts";

interface AskedLineProps {
  readonly asked: Asked;
  /** The root span's. */
  readonly service: string;
}

/** `stranger.example asked one.demo`, `one.demo asked two.demo` */
export function AskedLine({ asked, service }: AskedLineProps): JSX.Element {
  const own = <Text value={shortService(service)} empty="an unnamed service" max={120} />;
  if (asked.by === "own" && asked.name === undefined) return own;
  const peer =
    asked.name === undefined ? (
      "somebody without a name"
    ) : (
      <Text value={asked.name} empty="(no name)" max={120} />
    );
  const [who, whom] = asked.by === "peer" ? [peer, own] : [own, peer];
  return (
    <>
      <b>{who}</b> asked {whom}
    </>
  );
}
