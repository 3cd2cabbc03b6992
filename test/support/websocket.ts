/** WebSocket frames, made by hand (RFC 6455 section 5.2). */

const MASK = Buffer.of(0x12, 0x34, 0x56, 0x78);

export function webSocketFrame({
  opcode,
  payload,
  isMasked,
  isFinal = true,
}: {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly isMasked: boolean;
  readonly isFinal?: boolean;
}): Buffer {
  const { length } = payload;
  const mask = isMasked ? 0x80 : 0;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = mask | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  const masked = Buffer.from(payload.map((byte, at) => byte ^ (MASK[at % 4] ?? 0)));
  return Buffer.concat([head, MASK, masked]);
}
