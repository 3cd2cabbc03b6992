/** Which names a certificate is issued for, and that each has one form. */

import { describe, expect, it } from "vitest";
import { parseLeafName } from "../../src/authority/leaf-name.ts";

const LABEL_63 = "a".repeat(63);
const NAME_253 = `${`${LABEL_63}.`.repeat(3)}${"b".repeat(61)}`;

describe("takes", () => {
  it.each([
    { text: "hs1.example", form: "hs1.example", why: "a DNS name" },
    { text: "HS1.Example", form: "hs1.example", why: "in any letter case" },
    { text: "hs1.example.", form: "hs1.example", why: "with the root's dot" },
    { text: "localhost", form: "localhost", why: "one label" },
    { text: "xn--bcher-kva.example", form: "xn--bcher-kva.example", why: "A-labels" },
    { text: "my_server.example", form: "my_server.example", why: "an underscore, which names have" },
    { text: "1password.4example", form: "1password.4example", why: "labels that begin with a digit" },
    { text: `${LABEL_63}.example`, form: `${LABEL_63}.example`, why: "a label of 63 characters" },
    { text: NAME_253, form: NAME_253, why: "253 characters" },
    { text: `${NAME_253}.`, form: NAME_253, why: "253 characters and the root's dot" },
    { text: "192.0.2.1", form: "192.0.2.1", why: "an IPv4 address" },
    { text: "2001:DB8:0:0:0:0:0:1", form: "2001:db8::1", why: "an IPv6 address in its one form" },
    { text: "::", form: "::", why: "an IPv6 address of zeros" },
    { text: "::ffff:192.0.2.1", form: "::ffff:c000:201", why: "an IPv4 address within IPv6" },
  ])("$text as $form: $why", ({ text, form }) => {
    expect(parseLeafName(text)).toMatchObject({ value: { text: form } });
  });
});

describe("refuses", () => {
  it.each([
    { text: "", refused: "empty", why: "nothing" },
    { text: ".", refused: "empty", why: "the root" },
    { text: `b${NAME_253}`, refused: "too-long", why: "254 characters" },
    { text: "a".repeat(300), refused: "too-long", why: "300 characters" },
    { text: `${"a.".repeat(500_000)}a`, refused: "too-long", why: "a million characters" },
    { text: `a${LABEL_63}.example`, refused: "malformed", why: "a label of 64 characters" },
    { text: "hs1.example\0.evil.example", refused: "malformed", why: "a NUL, at which C ends a text" },
    { text: "*.example", refused: "malformed", why: "a wildcard: it would be good for other names" },
    { text: "bücher.example", refused: "malformed", why: "a letter that no certificate has" },
    { text: "\u212Aelvin.example", refused: "malformed", why: "a letter whose lower case is ASCII" },
    { text: "hs1..example", refused: "malformed", why: "an empty label" },
    { text: "hs1.example..", refused: "malformed", why: "two dots at the end" },
    { text: ".example", refused: "malformed", why: "a dot at the beginning" },
    { text: "-a.example", refused: "malformed", why: "a hyphen at a label's beginning" },
    { text: "a-.example", refused: "malformed", why: "and at its end" },
    { text: "hs1.example:8448", refused: "malformed", why: "a port" },
    { text: "hs1.example\n", refused: "malformed", why: "a line's end" },
    { text: "a b", refused: "malformed", why: "a space" },
    { text: "[::1]", refused: "malformed", why: "brackets" },
    { text: "fe80::1%eth0", refused: "malformed", why: "a zone, which is another machine's" },
    { text: "192.0.2.256", refused: "malformed", why: "no address, and no name" },
    { text: "127.1", refused: "malformed", why: "what some take for 127.0.0.1" },
    { text: "0x7f.0x1", refused: "malformed", why: "and this" },
    { text: "1.2.3.4.5", refused: "malformed", why: "a name that ends in a number" },
  ])("$refused: $why", ({ text, refused }) => {
    expect(parseLeafName(text)).toEqual({ refused });
  });
});
