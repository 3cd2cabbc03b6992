/** Heads of answers: which let an actor's document, or a server's keys, be read. */

import { describe, expect, it } from "vitest";
import { refuseActorAnswer, refuseJsonAnswer } from "../../src/proof/answer-head.ts";

const PROFILE = "https://www.w3.org/ns/activitystreams";
const ACTIVITY = "application/activity+json";
const LONGEST = `${ACTIVITY}; x=`.padEnd(512, "x");

describe("an actor's", () => {
  it.each([
    { why: "activity+json", type: ACTIVITY },
    { why: "in capitals, with blanks and parameters", type: " Application/Activity+JSON ; Charset=UTF-8" },
    { why: "ld+json with its profile", type: `application/ld+json; profile="${PROFILE}"` },
    { why: "unquoted, without a blank", type: `application/ld+json;profile=${PROFILE}` },
    { why: "the parameter's name in capitals", type: `application/ld+json; PROFILE="${PROFILE}"` },
    { why: "behind another parameter", type: `application/ld+json; charset=utf-8; profile="${PROFILE}"` },
    {
      why: "the first of two profiles",
      type: `application/ld+json; profile="${PROFILE} https://x.example/"`,
    },
    { why: "the second", type: `application/ld+json; profile="https://x.example/ ${PROFILE}"` },
    { why: "as long as may be", type: LONGEST },
    { why: "with escapes", type: `application/ld+json; profile="\\https://www.w3.org/ns/activitystreams"` },
  ])("is taken: $why", ({ type }) => {
    expect(refuseActorAnswer({ "content-type": [type] })).toBeUndefined();
  });

  it.each([
    { why: "JSON, which uploads are too", types: ["application/json"] },
    { why: "JSON with the profile", types: [`application/json; profile="${PROFILE}"`] },
    { why: "ld+json without a profile", types: ["application/ld+json"] },
    { why: "with an empty one", types: ['application/ld+json; profile=""'] },
    { why: "with another", types: ['application/ld+json; profile="https://www.w3.org/ns/json-ld#framed"'] },
    { why: "one that begins like it", types: [`application/ld+json; profile="${PROFILE}x"`] },
    { why: "the profile in capitals", types: [`application/ld+json; profile="${PROFILE.toUpperCase()}"`] },
    { why: "the profile in another parameter", types: [`application/ld+json; x="profile=${PROFILE}"`] },
    { why: "a type that begins like it", types: ["application/activity+jsonx"] },
    { why: "text", types: ["text/plain"] },
    { why: "bytes", types: ["application/octet-stream"] },
    { why: "no type", types: [] },
    { why: "an empty one", types: [""] },
    { why: "no readable one", types: ["activity+json"] },
    { why: "a character too long", types: [`${LONGEST}x`] },
    { why: "two in a line", types: [`${ACTIVITY}, text/html`] },
    { why: "two lines", types: [ACTIVITY, ACTIVITY] },
  ])("is refused: $why", ({ types }) => {
    expect(refuseActorAnswer({ "content-type": types })).toBe("media-type");
  });

  it("is refused without a field of that name", () => {
    expect(refuseActorAnswer({})).toBe("media-type");
  });

  it.each([
    { why: "inline", dispositions: ["inline"], refusal: undefined },
    { why: "with a name", dispositions: ['Inline ; filename="actor.json"'], refusal: undefined },
    { why: "an attachment", dispositions: ["attachment"], refusal: "attachment" },
    { why: "Synapse's of an upload", dispositions: ["attachment; filename=x.json"], refusal: "attachment" },
    { why: "a word that nobody knows", dispositions: ["inlined"], refusal: "attachment" },
    { why: "inline as a name", dispositions: ["x; filename=inline"], refusal: "attachment" },
    { why: "nothing", dispositions: [""], refusal: "attachment" },
    { why: "one of two lines", dispositions: ["inline", "attachment"], refusal: "attachment" },
    { why: "two in a line", dispositions: ["inline, attachment"], refusal: "attachment" },
  ])("to show or to save: $why", ({ dispositions, refusal }) => {
    const fields = { "content-type": [ACTIVITY], "content-disposition": dispositions };
    expect(refuseActorAnswer(fields)).toBe(refusal);
  });
});

describe("a server's keys", () => {
  it.each([
    { why: "JSON", types: ["application/json"], refusal: undefined },
    { why: "with parameters, in capitals", types: ["Application/JSON ; charset=utf-8"], refusal: undefined },
    { why: "an actor's type", types: [ACTIVITY], refusal: "media-type" },
    { why: "one that begins like it", types: ["application/jsonp"], refusal: "media-type" },
    { why: "two lines", types: ["application/json", "text/html"], refusal: "media-type" },
    { why: "no type", types: [], refusal: "media-type" },
  ])("$why", ({ types, refusal }) => {
    expect(refuseJsonAnswer({ "content-type": types })).toBe(refusal);
  });
});
