/** createResource against OpenTelemetry's own resources: same attributes, same merge. */

import { resourceFromAttributes } from "@opentelemetry/resources";
import { describe, expect, it } from "vitest";
import { createResource } from "../../src/span/resource.ts";

describe("createResource", () => {
  it("is settled from the start", async () => {
    const resource = createResource({ "service.name": "a" });
    expect(resource.asyncAttributesPending).toBe(false);
    await expect(resource.waitForAsyncAttributes?.()).resolves.toBeUndefined();
    expect(resource.getRawAttributes()).toEqual([["service.name", "a"]]);
  });

  it.each([
    { why: "the other wins", own: undefined, other: undefined },
    { why: "only own has a schema", own: "https://a/", other: undefined },
    { why: "only the other has a schema", own: undefined, other: "https://b/" },
    { why: "the same schema", own: "https://a/", other: "https://a/" },
  ])("merges as OpenTelemetry's does: $why", ({ own, other }) => {
    const [first, second] = [
      { "service.name": "a", x: 1 },
      { "service.name": "b", y: true },
    ];
    const schema = (url: string | undefined): { schemaUrl?: string } =>
      url === undefined ? {} : { schemaUrl: url };
    const theirs = resourceFromAttributes(first, schema(own)).merge(
      resourceFromAttributes(second, schema(other)),
    );
    const ours = createResource(first, own).merge(createResource(second, other));
    expect(ours.attributes).toEqual(theirs.attributes);
    expect(ours.schemaUrl).toBe(theirs.schemaUrl);
  });

  it("keeps no schema where two disagree, and itself where there is nothing to merge", () => {
    const resource = createResource({ a: 1 }, "https://a/");
    expect(resource.merge(createResource({}, "https://b/")).schemaUrl).toBeUndefined();
    expect(resource.merge(null)).toMatchObject({ attributes: { a: 1 }, schemaUrl: "https://a/" });
  });
});
