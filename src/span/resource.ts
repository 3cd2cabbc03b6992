/**
 * Who the spans come from: OpenTelemetry's resource, made once at the start and shared by every span.
 *
 * https://opentelemetry.io/docs/specs/otel/resource/sdk/. All attributes are known at once, so nothing is ever
 * pending. Not here: reading OTEL_RESOURCE_ATTRIBUTES and service.name, which is the config's.
 */

import type { Attributes } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";

/** @param attributes final values; `service.name` is among them. Never changed afterwards. */
export function createResource(attributes: Attributes, schemaUrl?: string): Resource {
  return {
    attributes,
    asyncAttributesPending: false,
    ...(schemaUrl === undefined ? {} : { schemaUrl }),
    waitForAsyncAttributes: () => Promise.resolve(),
    // The other resource wins, as OpenTelemetry says; a schema URL survives only where both don't disagree.
    merge(other) {
      if (other === null) return createResource(attributes, schemaUrl);
      return createResource(
        { ...attributes, ...other.attributes },
        mergedSchemaUrl(schemaUrl, other.schemaUrl),
      );
    },
    getRawAttributes: () => Object.entries(attributes),
  };
}

function mergedSchemaUrl(own: string | undefined, other: string | undefined): string | undefined {
  if (own === undefined || own === "") return other;
  return other === undefined || other === "" || other === own ? own : undefined;
}
