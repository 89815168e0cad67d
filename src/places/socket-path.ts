/**
 * Where the Unix socket may lie. The kernel keeps its path in a field of fixed length, and Node 20 cuts a longer one
 * silently, so that another file is bound; therefore the length is looked at here, before anybody listens or connects.
 *
 * Both sides compute the same path from the same values, and a path that is too long becomes a short one that is
 * named after a hash of it. Whether the directory may be trusted (owner, mode, symlink) is looked at by who listens.
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
  /** The system's directory for temporary files. */
  readonly tmpdir: string;
}

/** `wanted` if it fits; else `holdfast-UID/HASH.sock` in the directory for temporary files, or in /tmp as the last. */
export function socketPath(wanted: string, { platform, uid, tmpdir }: SocketSurroundings): string {
  const bytesMax = socketPathBytesMax(platform);
  if (socketPathBytes(wanted) <= bytesMax) return wanted;
  const name = `${createHash("sha256").update(wanted).digest("hex").slice(0, 16)}.sock`;
  for (const base of [tmpdir, "/tmp"]) {
    const short = join(base, `holdfast-${uid}`, name);
    if (socketPathBytes(short) <= bytesMax) return short;
  }
  throw tooLong(wanted, platform);
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
