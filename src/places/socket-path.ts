/**
 * Where the Unix socket may lie. The kernel keeps its path in a field of fixed length, and Node 20 cuts a longer one
 * silently, so that another file is bound; therefore the length is looked at here, before anybody listens or connects.
 *
 * Both sides compute the same path from the same values, and a path that is too long becomes a short one that is
 * named after a hash of it. Whether the directory may be trusted (owner, mode, symlink) is looked at by who listens, and
 * by who connects.
 */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { HoldfastError, utf8Length } from "../terms/index.js";

/** Bytes of `sun_path` less the closing NUL: 108 on Linux, 104 on macOS and the BSDs. */
export function socketPathBytesMax(platform: string): number {
  return platform === "linux" ? 107 : 103;
}

/** A broker listens first under a private name in the same directory: at most so many bytes, and it must fit as well. */
export const draftNameBytesMax = 11;

/** Bytes that a socket at this path needs: of the path itself, or of the private name beside it if that is longer. */
export function socketPathBytes(path: string): number {
  const draftBytes = utf8Length(join(dirname(path), "x".repeat(draftNameBytesMax)));
  return Math.max(utf8Length(path), draftBytes);
}

export interface SocketSurroundings {
  readonly platform: string;
  readonly uid: number;
}

/**
 * This user's directory where all users may make theirs. Not in TMPDIR or XDG_RUNTIME_DIR: a cron job has other
 * variables than a desktop.
 */
export function sharedPlace(uid: number): string {
  return `/tmp/holdfast-${uid}`;
}

/** `wanted` if it fits; else one that depends on nothing but it and the user. */
export function socketPath(wanted: string, { platform, uid }: SocketSurroundings): string {
  if (socketPathBytes(wanted) <= socketPathBytesMax(platform)) return wanted;
  const name = createHash("sha256").update(wanted).digest("hex").slice(0, 16);
  return join(sharedPlace(uid), `${name}.sock`);
}

/** What to say about a socket path that somebody chose and the kernel cannot hold. */
export function tooLong(path: string, platform: string): HoldfastError {
  const bytes = socketPathBytes(path);
  const bytesMax = socketPathBytesMax(platform);
  return new HoldfastError(
    "CONFIGURATION",
    `the socket path ${path} (${basename(path)} and the private name beside it) needs ${bytes} bytes, the system allows ${bytesMax}; choose a shorter directory`,
    { details: { path, bytes, bytesMax } },
  );
}
