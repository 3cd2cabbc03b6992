/** parseKeyUrl: every form of id that is asked for, and every one that is not. */

import { describe, expect, it } from "vitest";
import { parseKeyUrl } from "../../src/proof/key-url.ts";

const LONGEST = "https://a.example/".padEnd(512, "x");

describe("is asked for", () => {
  it.each([
    { why: "Mastodon's", id: "https://a.example/users/x#main-key", name: "a.example", path: "/users/x" },
    {
      why: "GoToSocial's",
      id: "https://a.example/users/x/main-key",
      name: "a.example",
      path: "/users/x/main-key",
    },
    { why: "with a query", id: "https://a.example/?author=1#k", name: "a.example", path: "/?author=1" },
    { why: "with a port", id: "https://A.example:8443/x", name: "a.example:8443", path: "/x" },
    { why: "with the port that https means", id: "https://a.example:443/x", name: "a.example", path: "/x" },
    { why: "without path", id: "https://a.example#k", name: "a.example", path: "/" },
    { why: "without path, with a query", id: "HTTPS://a.example?x", name: "a.example", path: "/?x" },
    { why: "with a letter that is encoded", id: "https://a.example/%40x", name: "a.example", path: "/%40x" },
    { why: "with dots in a name", id: "https://a.example/x..y/...", name: "a.example", path: "/x..y/..." },
    { why: "a name like Matrix's", id: "https://a.example/_matrixx", name: "a.example", path: "/_matrixx" },
    {
      why: "Matrix in the query, which is no path",
      id: "https://a.example/x?u=/_matrix/",
      name: "a.example",
      path: "/x?u=/_matrix/",
    },
    { why: "a per cent in the query", id: "https://a.example/x?y=%", name: "a.example", path: "/x?y=%" },
    { why: "as long as may be", id: LONGEST, name: "a.example", path: LONGEST.slice(17) },
  ])("$why", ({ id, name, path }) => {
    const url = parseKeyUrl(id);
    expect([url?.server.name, url?.path]).toEqual([name, path]);
  });
});

describe("is not asked for", () => {
  it.each([
    { why: "http", id: "http://a.example/x" },
    { why: "an account", id: "acct:x@a.example" },
    { why: "no URL", id: "x" },
    { why: "nothing", id: "" },
    { why: "a user's name", id: "https://u@a.example/x" },
    { why: "a host that a URL parser repairs", id: "https://a.example\\@b.example/x" },
    { why: "a line end", id: "https://a.example/x\r\nX: y" },
    { why: "a blank", id: "https://a.example/x y" },
    { why: "not ASCII", id: "https://a.example/caf\u00e9" },
    { why: "a character too long", id: `${LONGEST}x` },
    { why: "a per cent and nothing", id: "https://a.example/x%" },
    { why: "bytes that are no UTF-8", id: "https://a.example/%ff" },
  ])("$why", ({ id }) => {
    expect(parseKeyUrl(id)).toBeUndefined();
  });

  it.each([
    { why: "Matrix's media", path: "/_matrix/media/v3/download/a.example/abc" },
    { why: "Matrix alone", path: "/_matrix" },
    { why: "in capitals", path: "/_MATRIX/media/x" },
    { why: "a letter encoded", path: "/%5fmatrix/media/x" },
    { why: "all of it encoded", path: "/%5F%6D%61%74%72%69%78/media/x" },
    { why: "encoded twice", path: "/%255fmatrix/media/x" },
    { why: "the separator encoded", path: "/x%2f_matrix/media/x" },
    { why: "behind another separator", path: "/x\\_matrix/media/x" },
    { why: "that separator encoded", path: "/_matrix%5Cmedia/x" },
    { why: "behind an empty segment", path: "//_matrix/media/x" },
    { why: "behind a prefix", path: "/x/_matrix/media/x" },
    { why: "behind a dot", path: "/./_matrix/media/x" },
    { why: "a dot alone", path: "/./x" },
    { why: "two dots", path: "/x/../y" },
    { why: "two dots, encoded", path: "/x/%2e%2E/y" },
    { why: "two dots, half encoded", path: "/x/.%2e/y" },
    { why: "two dots at the end", path: "/x/.." },
  ])("where uploads may be: $why", ({ path }) => {
    expect(parseKeyUrl(`https://a.example${path}#main-key`)).toBeUndefined();
  });
});
