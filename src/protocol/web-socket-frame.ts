/**
 * The heads of plain WebSocket frames (RFC 6455 section 5.2): one message, one frame, and a client's mask a mask of
 * zeros. Both ends write their frames themselves, as text in which each character is a byte: for a small message that
 * is half the way through Node that bytes take.
 */

/** JSON goes in text frames, MessagePack in binary ones. */
export type FrameKind = "text" | "binary";

const fin = 0x80;
const masked = 0x80;
const noMask = "\0\0\0\0";

/** The first byte of a frame that is a whole message. */
export const firstBytes = { text: fin | 0x1, binary: fin | 0x2 } as const satisfies Record<FrameKind, number>;

export function serverFrameHead(kind: FrameKind, length: number): string {
  return head(firstBytes[kind], length, 0);
}

export function clientFrameHead(kind: FrameKind, length: number): string {
  return head(firstBytes[kind], length, masked) + noMask;
}

function head(first: number, length: number, mask: number): string {
  if (length < 126) return String.fromCharCode(first, mask | length);
  if (length < 0x1_0000) return String.fromCharCode(first, mask | 126, length >>> 8, length & 0xff);
  const bytes = Buffer.alloc(10);
  bytes[0] = first;
  bytes[1] = mask | 127;
  bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes.toString("latin1");
}
