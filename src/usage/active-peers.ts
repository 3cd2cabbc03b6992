/**
 * How many different peers were met in a day and in a month, and how many stayed: Synapse's active users, of servers.
 *
 * Names are not kept. Of each there are eight bytes of a hash that is keyed with a secret of this installation's, the last hour, and one
 * bit for each of the last 60 days: 20 bytes in the file. Two peers of 30,000 have the same eight bytes once in 40 billion installations.
 * Retained is as Synapse's R30v2 (`count_r30v2_users`, synapse/storage/databases/main/stats.py and metrics.py): met in the
 * last 60 days on two days that lie more than 30 apart (it compares the beginnings of days with `>`).
 */

import { createHmac } from "node:crypto";

/** Some 5 MB. All of Matrix has some 20,000 servers; more than these are not counted. */
const PEERS_MAX = 30_000;
const HOURS_PER_DAY = 24;
const DAYS = 60;
const MONTH_DAYS = 30;
/** In the file: hash, days, last hour. */
const HASH_BYTES = 8;
const RECORD_BYTES = HASH_BYTES + 8 + 4;
const ALL_DAYS = (1n << BigInt(DAYS)) - 1n;

interface MetPeer {
  /** Since 1970. */
  lastHour: number;
  /** Bit 0 is the day of the last hour, bit 1 the one before, up to 59. */
  days: bigint;
}

export interface ActivePeers {
  /** Met in the last 24 hours, the one under way counted. */
  readonly daily: number;
  /** In the last 30 days, today counted. */
  readonly monthly: number;
  readonly retained: number;
}

/** Whether it can be what `PeerDays.save` makes. */
export function isPeers({ length }: Uint8Array, peersMax = PEERS_MAX): boolean {
  return length % RECORD_BYTES === 0 && length / RECORD_BYTES <= peersMax;
}

export class PeerDays {
  readonly #secret: Uint8Array;
  readonly #peersMax: number;
  readonly #peers = new Map<string, MetPeer>();
  /** Times that a peer was met that is not counted for lack of room. */
  overflow = 0;
  /** Who is not forgotten in an hour stays for all of it. */
  #forgotAt = -1;

  constructor(secret: Uint8Array, peersMax = PEERS_MAX) {
    this.#secret = secret;
    this.#peersMax = peersMax;
  }

  met(name: string, hour: number): void {
    const digest = createHmac("sha256", this.#secret).update(name).digest();
    const hash = digest.toString("latin1", 0, HASH_BYTES);
    const known = this.#peers.get(hash);
    if (known === undefined) {
      if (this.#peers.size >= this.#peersMax && hour !== this.#forgotAt) this.forget(hour);
      if (this.#peers.size >= this.#peersMax) this.overflow++;
      else this.#peers.set(hash, { lastHour: hour, days: 1n });
      return;
    }
    known.days = daysAt(known, hour) | 1n;
    known.lastHour = hour;
  }

  count(hour: number): ActivePeers {
    let daily = 0;
    let monthly = 0;
    let retained = 0;
    this.#bringBack(hour);
    for (const peer of this.#peers.values()) {
      const days = daysAt(peer, hour);
      if (peer.lastHour > hour - HOURS_PER_DAY) daily++;
      if ((days & ((1n << BigInt(MONTH_DAYS)) - 1n)) !== 0n) monthly++;
      if (span(days) > MONTH_DAYS) retained++;
    }
    return { daily, monthly, retained };
  }

  /** Those not met for 60 days. */
  forget(hour: number): void {
    this.#forgotAt = hour;
    this.#bringBack(hour);
    for (const [hash, peer] of this.#peers) if (daysAt(peer, hour) === 0n) this.#peers.delete(hash);
  }

  /** What was met in an hour to come was met by a clock that was wrong, and counts as met now; else it would count until then. */
  #bringBack(hour: number): void {
    for (const peer of this.#peers.values()) if (peer.lastHour > hour) peer.lastHour = hour;
  }

  /** 20 bytes a peer. */
  save(): Uint8Array {
    const bytes = Buffer.alloc(this.#peers.size * RECORD_BYTES);
    let at = 0;
    for (const [hash, { lastHour, days }] of this.#peers) {
      bytes.write(hash, at, "latin1");
      bytes.writeBigUInt64LE(days, at + HASH_BYTES);
      bytes.writeUInt32LE(lastHour, at + HASH_BYTES + 8);
      at += RECORD_BYTES;
    }
    return bytes;
  }

  /**
   * @param hour the present one: what was met later was met by a clock that was wrong, and counts as met now
   * @returns false where it is not what `save` makes; then nothing was taken
   */
  load(saved: Uint8Array, hour: number): boolean {
    if (!isPeers(saved, this.#peersMax)) return false;
    const bytes = Buffer.from(saved.buffer, saved.byteOffset, saved.length);
    for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
      this.#peers.set(bytes.toString("latin1", at, at + HASH_BYTES), {
        days: bytes.readBigUInt64LE(at + HASH_BYTES) & ALL_DAYS,
        lastHour: Math.min(hour, bytes.readUInt32LE(at + HASH_BYTES + 8)),
      });
    }
    return true;
  }
}

/** Its days as counted from the day of this hour; where the clock was set back, as they are. */
function daysAt({ lastHour, days }: MetPeer, hour: number): bigint {
  const passed = Math.floor(hour / HOURS_PER_DAY) - Math.floor(lastHour / HOURS_PER_DAY);
  return passed <= 0 ? days : (days << BigInt(Math.min(passed, DAYS))) & ALL_DAYS;
}

/** Days between the first and the last that is set. */
function span(days: bigint): number {
  if (days === 0n) return 0;
  const text = days.toString(2);
  return text.lastIndexOf("1");
}
