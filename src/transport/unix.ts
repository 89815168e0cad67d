/**
 * A listening Unix socket under a public name, put there in one step and taken away only while it is ours.
 *
 *   listen on a private name  ->  chmod 0600  ->  rename over the public name      (publish)
 *   rename to a private name again: nobody new finds it, whoever was on the way is still accepted   (withdraw)
 *
 * So there is no moment in which the public name is missing, open to others, or stale while somebody takes over; and
 * `server.close()`, which removes the name that was bound, cannot remove a successor's socket.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, lstatSync, renameSync, rmSync, type Stats } from "node:fs";
import type { Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { draftNameBytesMax, socketPathBytes, socketPathBytesMax } from "../places/index.js";
import { HoldfastError } from "../terms/index.js";
import { checkPrivateDirectory } from "./private-directory.js";

/** More connections than the kernel can hold (`net.core.somaxconn`) are not asked for; it cuts this down itself. */
const backlog = 4096;

export interface PublishOptions {
  /** The public name; its directory must be there, and private. */
  readonly path: string;
  readonly uid: number;
  readonly platform: string;
}

/** The caller holds the broker's lock: whatever socket lies under the name belongs to nobody who lives. */
export async function publishUnixSocket(server: Server, { path, uid, platform }: PublishOptions): Promise<UnixSocket> {
  const bytes = socketPathBytes(path);
  const bytesMax = socketPathBytesMax(platform);
  if (bytes > bytesMax)
    throw new HoldfastError("CONFIGURATION", `the socket path ${path} needs ${bytes} bytes, ${bytesMax} are allowed`);
  const directory = dirname(path);
  checkPrivateDirectory(directory, uid);
  checkReplaceable(path, uid);
  const draft = join(directory, draftName());
  await listen(server, draft);
  chmodSync(draft, 0o600);
  const socket = new UnixSocket(path, lstatSync(draft));
  renameSync(draft, path);
  return socket;
}

export class UnixSocket {
  readonly path: string;
  readonly #device: number;
  readonly #inode: number;
  /** Where the name lies while it is withdrawn. */
  #withdrawnTo: string | undefined;

  constructor(path: string, { dev, ino }: Stats) {
    this.path = path;
    this.#device = dev;
    this.#inode = ino;
  }

  /** Whether the public name still leads to this socket. Cleaners of /tmp, and other brokers, may have been there. */
  stillPublished(): boolean {
    return this.#isOurs(this.path);
  }

  /** Takes the public name away, if it is ours. The socket goes on accepting those that had found it. */
  withdraw(): void {
    if (this.#withdrawnTo !== undefined || !this.stillPublished()) return;
    const draft = join(dirname(this.path), draftName());
    renameSync(this.path, draft);
    this.#withdrawnTo = draft;
  }

  /** Undoes `withdraw`. */
  restore(): void {
    if (this.#withdrawnTo === undefined) return;
    renameSync(this.#withdrawnTo, this.path);
    this.#withdrawnTo = undefined;
  }

  /** Removes the name, public or withdrawn, if it is ours. */
  remove(): void {
    const path = this.#withdrawnTo ?? this.path;
    if (this.#isOurs(path)) rmSync(path, { force: true });
    this.#withdrawnTo = undefined;
  }

  #isOurs(path: string): boolean {
    const stats = lookAt(path);
    return stats !== undefined && stats.dev === this.#device && stats.ino === this.#inode;
  }
}

/** `.hf` and eight letters: never longer than what `socketPathBytes` reckons with. */
function draftName(): string {
  return `.hf${randomBytes(8)
    .toString("hex")
    .slice(0, draftNameBytesMax - 3)}`;
}

/**
 * Node binds within the call, so the umask covers the moment between bind and chmod and nothing else of the process.
 * The private directory and the private name protect that moment too.
 */
async function listen(server: Server, path: string): Promise<void> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    server.once("error", reject);
  });
  const umask = process.umask(0o177);
  try {
    server.listen({ path, backlog });
  } finally {
    process.umask(umask);
  }
  try {
    await listening;
  } catch (error) {
    throw cannotListen(path, error as NodeJS.ErrnoException);
  }
}

function cannotListen(path: string, cause: NodeJS.ErrnoException): HoldfastError {
  const details = { path, errno: cause.code };
  return new HoldfastError("PERMISSION", `cannot listen at ${path}: ${cause.message}`, { details, cause });
}

/** A leftover socket may be replaced; what is not a socket, or not ours, was put there by somebody for a reason. */
function checkReplaceable(path: string, uid: number): void {
  const stats = lookAt(path);
  if (stats === undefined || (stats.isSocket() && stats.uid === uid)) return;
  const what = stats.isSocket() ? `a socket of user ${stats.uid}` : `${kindOf(stats)}, not a socket`;
  throw new HoldfastError("PERMISSION", `${path} is ${what}; move it away (${basename(path)} belongs to the broker)`, {
    details: { path },
  });
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return "a symbolic link";
  return stats.isDirectory() ? "a directory" : "a file";
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}
