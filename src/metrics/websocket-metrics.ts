/** WebSocket sessions of the front door in the list of Synse's names, where an event is a frame's opcode. */

import type { CounterChild } from "./children.ts";
import { OTHER } from "./definition.ts";
import type { Registry } from "./registry.ts";
import type { WebSocketCounts, WebSocketEvent } from "./traffic-counts.ts";

const EVENTS: readonly WebSocketEvent[] = [
  "text",
  "binary",
  "continuation",
  "close",
  "ping",
  "pong",
  "other",
];
const LATENCY_BUCKETS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

interface EventSeries {
  readonly requests: CounterChild;
  readonly requestBytes: CounterChild;
  readonly responseBytes: CounterChild;
  readonly errors: CounterChild;
}

/** @param options `sourcesMax`: sources that are told apart, the ones with most sessions. `hasSource`: whether they are told at all */
export function createWebSocketMetrics(
  registry: Registry,
  { sourcesMax, hasSource }: { readonly sourcesMax: number; readonly hasSource: boolean },
): WebSocketCounts {
  const { metric } = registry.module("websocket");
  const labels = ["event"];
  const counter = (name: string, unit: string, help: string) => metric("counter", name, unit, help, labels);
  const requests = counter("request_count", "", "Frames from clients.");
  const latency = metric(
    "histogram",
    "request_latency",
    "sec",
    "Time from the end of a client's frame to the frame that answers it: a ping's pong, a close's close, the next message after a message.",
    labels,
    { buckets: LATENCY_BUCKETS },
  );
  const requestBytes = counter("request", "bytes", "Bytes of their payloads.");
  const responseBytes = counter("response", "bytes", "Bytes of the payloads of frames to clients.");
  const errors = counter(
    "error_response_count",
    "",
    "Frames to clients that tell of an error: a close with another code than 1000 and 1001.",
  );
  const series = new Map<WebSocketEvent, EventSeries>(
    EVENTS.map((event) => [
      event,
      {
        requests: requests.withLabels(event),
        requestBytes: requestBytes.withLabels(event),
        responseBytes: responseBytes.withLabels(event),
        errors: errors.withLabels(event),
      },
    ]),
  );

  /** By source; as many as there are sessions at most, which limits.connections bounds. */
  const sessions = new Map<string, number>();
  metric("gauge", "session_count", "", "Sessions that are open, by the client's address.", ["source"]).read(
    () => {
      const busiest = [...sessions].toSorted(([, one], [, two]) => two - one);
      const rest = busiest.slice(sourcesMax).reduce((sum, [, count]) => sum + count, 0);
      return [
        ...busiest.slice(0, sourcesMax).map(([source, value]) => ({ values: [source], value })),
        ...(rest > 0 ? [{ values: [OTHER], value: rest }] : []),
      ];
    },
  );

  return {
    sessionBegan(address) {
      const source = hasSource ? address : "";
      sessions.set(source, (sessions.get(source) ?? 0) + 1);
    },
    sessionEnded(address) {
      const source = hasSource ? address : "";
      const left = (sessions.get(source) ?? 0) - 1;
      if (left > 0) sessions.set(source, left);
      else sessions.delete(source);
    },
    request(event, bytes) {
      series.get(event)?.requests.add(1);
      series.get(event)?.requestBytes.add(bytes);
    },
    answered: (event, seconds) => latency.withLabels(event).sample(seconds),
    response: (event, bytes) => series.get(event)?.responseBytes.add(bytes),
    errorResponse: (event) => series.get(event)?.errors.add(1),
  };
}
