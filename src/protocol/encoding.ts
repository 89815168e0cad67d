/**
 * The two ways in which one message can be written, and the WebSocket subprotocol that chooses each. The objects are
 * the same; text frames carry JSON, binary frames MessagePack.
 */

export type Encoding = "json" | "msgpack";

export const subprotocols = {
  json: "holdfast.v1.json",
  msgpack: "holdfast.v1.msgpack",
} as const satisfies Record<Encoding, string>;

export function encodingOf(subprotocol: string): Encoding | undefined {
  if (subprotocol === subprotocols.json) return "json";
  return subprotocol === subprotocols.msgpack ? "msgpack" : undefined;
}

/** The versions of the conversation that this side speaks, both ends included. */
export const protocolVersions = { min: 1, max: 1 } as const;

/** The version to speak with a peer, or nothing if there is none in common. */
export function commonVersion(peer: { readonly min: number; readonly max: number }): number | undefined {
  const version = Math.min(peer.max, protocolVersions.max);
  return version >= peer.min && version >= protocolVersions.min ? version : undefined;
}
