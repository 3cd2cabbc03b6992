/**
 * What spans share, as plain data that structured cloning keeps as it is, and numbered, so that each goes over to another
 * thread or process once (https://developer.mozilla.org/en-US/docs/Web/API/Web_Workers_API/Structured_clone_algorithm).
 */

import type { Attributes } from "@opentelemetry/api";
import type { InstrumentationScope } from "@opentelemetry/core";
import type { SpanOrigin } from "./record.ts";
import { createResource } from "./resource.ts";

/** An origin without its methods. */
export interface PlainOrigin {
  readonly attributes: Attributes;
  readonly schemaUrl: string | undefined;
  readonly scope: InstrumentationScope;
}

/** @param known origins that the other side has been told of, in order; a new one is added. @returns its place there */
export function numberOf(origin: SpanOrigin, known: SpanOrigin[]): number {
  const index = known.indexOf(origin);
  return index === -1 ? known.push(origin) - 1 : index;
}

/** Those of `known` from the place `first` on: what the other side has to be told. */
export function toPlainOrigins(known: readonly SpanOrigin[], first: number): readonly PlainOrigin[] {
  return known.slice(first).map(({ resource, scope }) => {
    return { attributes: resource.attributes, schemaUrl: resource.schemaUrl, scope };
  });
}

/** @param known the other side's list; readers group by the identity of a resource, so each is built once */
export function addOrigins(origins: readonly PlainOrigin[], known: SpanOrigin[]): void {
  for (const { attributes, schemaUrl, scope } of origins) {
    known.push({ resource: createResource(attributes, schemaUrl), scope });
  }
}
