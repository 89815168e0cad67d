/**
 * The calls by which the broker changes its files, one by one: written down in order, so that a test can put together
 * what a disk may have had at any moment; or counted, and the N-th of a kind fails. Done by a small library in C
 * (disk-calls.c), compiled by the test and loaded before all others (LD_PRELOAD).
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../../../test/support/disk-calls.c", import.meta.url));

/** As the library counts them. `sync`: fsync and fdatasync. `write`: pwrite. `cut`: ftruncate. */
export const callNames = ["sync", "write", "cut", "open", "unlink"] as const;
export type CallName = (typeof callNames)[number];
export type CallError = "EIO" | "ENOSPC" | "EDQUOT";

interface Span {
  /** The machine's monotonic clock, ms. */
  readonly begun: number;
  readonly ended: number;
}

/** What was done in the directory that is recorded, and succeeded. */
export type DiskCall = Span &
  (
    | { readonly kind: "written"; readonly inode: number; readonly at: number; readonly data: Buffer }
    | { readonly kind: "cut"; readonly inode: number; readonly size: number }
    | { readonly kind: "synced"; readonly inode: number }
    | { readonly kind: "created"; readonly inode: number; readonly name: string }
    | { readonly kind: "unlinked"; readonly name: string }
    | { readonly kind: "directory synced" }
  );

export interface Fault {
  readonly call: CallName;
  readonly nth: number;
  readonly error: CallError;
  /** All calls from the N-th on; else that one alone. */
  readonly stays: boolean;
}

export interface FaultState {
  readonly failed: number;
  readonly counts: { readonly [Name in CallName]: number };
  /** The file of the first call that failed, below the root. */
  readonly where: string;
}

const kinds = ["none", "written", "cut", "synced", "created", "unlinked", "directory synced"] as const;
const headBytes = 48;
const faultBytes = 6 * 4 + callNames.length * 4 + 200;

export class DiskCalls {
  readonly #library: string;

  /** Compiles it into this directory. Wants a C compiler, as better-sqlite3 does where it has no ready binary. */
  static make(dir: string): DiskCalls {
    const library = join(dir, "disk-calls.so");
    const { status, stderr, error } = spawnSync("cc", ["-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], {
      encoding: "utf8",
    });
    if (status !== 0)
      throw new Error(
        `disk-calls.c could not be compiled (a C compiler is needed as "cc"): ${error?.message ?? stderr}`,
      );
    return new DiskCalls(library);
  }

  private constructor(library: string) {
    this.#library = library;
  }

  /** Writes down into `file` what is done in `dir`; `boot` is a file with the boot id that the broker finds. */
  recording({ file, dir, boot }: { file: string; dir: string; boot: string }): { readonly [name: string]: string } {
    return {
      LD_PRELOAD: this.#library,
      HOLDFAST_TEST_RECORD: file,
      HOLDFAST_TEST_RECORDED: dir,
      HOLDFAST_TEST_BOOT: boot,
    };
  }

  /** What is told in `file` (`arm`, `disarm`) happens to calls below `root`. */
  failing({ file, root }: { file: string; root: string }): { readonly [name: string]: string } {
    return { LD_PRELOAD: this.#library, HOLDFAST_TEST_FAULT: file, HOLDFAST_TEST_ROOT: root };
  }
}

/** Counting begins; without a fault nothing fails. Before the broker starts: it maps the file. */
export function arm(file: string, fault?: Fault): void {
  const bytes = Buffer.alloc(faultBytes);
  bytes.writeUInt32LE(1, 0);
  if (fault !== undefined) {
    bytes.writeUInt32LE(callNames.indexOf(fault.call), 4);
    bytes.writeUInt32LE(constants.errno[fault.error], 8);
    bytes.writeUInt32LE(fault.nth, 12);
    bytes.writeUInt32LE(fault.stays ? 1 : 0, 16);
  }
  writeFileSync(file, bytes);
}

/** Nothing fails any more, also in processes that run. */
export function disarm(file: string): void {
  const bytes = readFileSync(file);
  bytes.writeUInt32LE(0, 0);
  writeFileSync(file, bytes, { flag: "r+" });
}

export function faultState(file: string): FaultState {
  const bytes = readFileSync(file);
  const counts = Object.fromEntries(callNames.map((name, at) => [name, bytes.readUInt32LE(24 + at * 4)]));
  const where = bytes.toString("utf8", 24 + callNames.length * 4);
  return {
    failed: bytes.readUInt32LE(20),
    counts: counts as FaultState["counts"],
    where: where.slice(0, where.indexOf("\0")),
  };
}

/** In the order in which the calls returned. */
export function readCalls(file: string): DiskCall[] {
  const bytes = readFileSync(file);
  const calls: DiskCall[] = [];
  for (let at = 0; at + headBytes <= bytes.length; ) {
    const nameBytes = bytes.readUInt32LE(at + 4);
    const end = at + headBytes + nameBytes + bytes.readUInt32LE(at + 8);
    // A process that was killed may have begun to note a call: it is as good as not made.
    if (end > bytes.length) break;
    calls.push(callOf(bytes.subarray(at, end), nameBytes));
    at = end;
  }
  return calls;
}

function callOf(bytes: Buffer, nameBytes: number): DiskCall {
  const [inode, at, begun, ended] = [16, 24, 32, 40].map((place) => bytes.readBigUInt64LE(place));
  const span = { begun: Number(begun) / 1e6, ended: Number(ended) / 1e6 };
  const name = bytes.toString("utf8", headBytes, headBytes + nameBytes);
  const file = { ...span, inode: Number(inode) };
  const kind = kinds[bytes.readUInt32LE(0)];
  switch (kind) {
    case "written":
      return { ...file, kind, at: Number(at), data: bytes.subarray(headBytes + nameBytes) };
    case "cut":
      return { ...file, kind, size: Number(at) };
    case "synced":
      return { ...file, kind };
    case "created":
      return { ...file, kind, name };
    case "unlinked":
      return { ...span, kind, name };
    case "directory synced":
      return { ...span, kind };
    default:
      throw new Error(`impossible kind ${bytes.readUInt32LE(0)} in the record of calls`);
  }
}
