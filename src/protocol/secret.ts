/** A session's secret and the id that follows from it: who shows the secret has proved the id, also to a broker that
 * has forgotten the session. */
import { createHash } from "node:crypto";
import { type SessionId, sessionId } from "../terms/index.js";

const shape = /^[A-Za-z0-9_-]{43}$/;

/** 32 bytes, however they came about; the caller takes them from the system's randomness. */
export function secretText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

/** The first 16 bytes of SHA-256 of the secret's 32 bytes; nothing if the text is not a secret. */
export function sessionIdOf(secret: string): SessionId | undefined {
  if (!shape.test(secret)) return undefined;
  return sessionId(createHash("sha256").update(Buffer.from(secret, "base64url")).digest("hex").slice(0, 32));
}
