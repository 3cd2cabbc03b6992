/**
 * IP addresses and networks as the bytes that certificates hold (RFC 5280, section 4.2.1.6: iPAddress has 4 or 16 of them).
 *
 * An IPv4 address within an IPv6 one (`::ffff:192.0.2.1`) is an IPv6 address here, as it is to whoever checks a
 * certificate. Not here: names, and which addresses are allowed (constraints.ts).
 */

import { isIP } from "node:net";

/** One address. */
export interface Address {
  /** 4 or 16. */
  readonly bytes: Uint8Array;
  /** The one way to write it: RFC 5952 without an embedded IPv4. */
  readonly text: string;
}

/** Every address that shares the first `prefix` bits with `base`. */
export interface AddressRange {
  /** 4 or 16 bytes; those beyond the prefix are 0. */
  readonly base: Uint8Array;
  /** 0 to 32 or 128. */
  readonly prefix: number;
  /** `10.0.0.0/8`; with the prefix for a single address too. */
  readonly text: string;
}

/** @returns undefined for anything but an address; one with a zone (`fe80::1%eth0`) means nothing on another machine */
export function parseAddress(text: string): Address | undefined {
  const family = text.includes("%") ? 0 : isIP(text);
  if (family === 0) return undefined;
  if (family === 4) return { bytes: Uint8Array.from(text.split("."), Number), text };
  // The URL standard's host parser writes an address in its one form.
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const left = groupsOf(head);
  const right = groupsOf(tail ?? "");
  const groups = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return { bytes: Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])), text: canonical };
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. Bits beyond the prefix are cleared. */
export function parseRange(text: string): AddressRange | undefined {
  const [, addressText = "", digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(addressText);
  if (address === undefined) return undefined;
  const width = address.bytes.length * 8;
  const prefix = Number(digits ?? width);
  if (prefix > width) return undefined;
  const base = address.bytes.map((byte, index) => byte & maskAt(prefix, index));
  return { base, prefix, text: `${formatAddress(base)}/${prefix}` };
}

/** An IPv4 range holds no IPv6 address, and the other way round. */
export function isInRange({ base, prefix }: AddressRange, { bytes }: Address): boolean {
  return (
    base.length === bytes.length &&
    bytes.every((byte, index) => (byte & maskAt(prefix, index)) === (base[index] ?? 0))
  );
}

/** The byte of a mask with `prefix` ones at its beginning. */
function maskAt(prefix: number, index: number): number {
  const ones = Math.min(8, Math.max(0, prefix - index * 8));
  return (0xff << (8 - ones)) & 0xff;
}

function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  );
  return parseAddress(groups.join(":"))?.text ?? "";
}
