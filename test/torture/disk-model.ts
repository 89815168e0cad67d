/**
 * A directory on a disk of which the power can be taken at any moment: what was synced is there; of what was only written
 * some is there, some is not, and a write may be there in part, by sectors. Names are there when their directory was synced,
 * before that as many of them as may be, in order.
 *
 * It cannot show a disk that lies about its syncs.
 */
import type { Random } from "../simulation/random.js";
import type { DiskCall } from "../support/disk-calls.js";

const sectorBytes = 512;

type Change = Extract<DiskCall, { kind: "written" | "cut" }>;
type Naming = Extract<DiskCall, { kind: "created" | "unlinked" }>;

/** A file's content, whatever its names. */
interface Content {
  bytes: Buffer;
  size: number;
  /** Since the last sync. */
  pending: Change[];
}

export class DiskModel {
  readonly #contents = new Map<number, Content>();
  /** By name, as the directory has it on the disk. */
  readonly #names = new Map<string, number>();
  #pendingNames: Naming[] = [];

  /** A disk with these files on it. */
  constructor(files: readonly { readonly name: string; readonly inode: number; readonly bytes: Buffer }[]) {
    for (const { name, inode, bytes } of files) {
      this.#contents.set(inode, { bytes: Buffer.from(bytes), size: bytes.length, pending: [] });
      this.#names.set(name, inode);
    }
  }

  apply(call: DiskCall): void {
    switch (call.kind) {
      case "created":
        this.#contents.set(call.inode, { bytes: Buffer.alloc(0), size: 0, pending: [] });
        this.#pendingNames.push(call);
        return;
      case "unlinked":
        this.#pendingNames.push(call);
        return;
      case "directory synced": {
        const still = this.#pendingNames.filter(({ ended }) => ended > call.begun);
        for (const one of this.#pendingNames) if (one.ended <= call.begun) name(this.#names, one);
        this.#pendingNames = still;
        return;
      }
      case "written":
      case "cut":
        this.#content(call.inode).pending.push(call);
        return;
      case "synced": {
        const content = this.#content(call.inode);
        const still = content.pending.filter(({ ended }) => ended > call.begun);
        for (const change of content.pending) if (change.ended <= call.begun) changed(content, change, () => true);
        content.pending = still;
        return;
      }
    }
  }

  /** What may be there when the power goes now. */
  crash(random: Random): Map<string, Buffer> {
    const names = new Map(this.#names);
    const kept = random.below(this.#pendingNames.length + 1);
    for (const one of this.#pendingNames.slice(0, kept)) name(names, one);
    return new Map([...names].map(([file, inode]) => [file, left(this.#content(inode), random)]));
  }

  #content(inode: number): Content {
    const content = this.#contents.get(inode);
    if (content === undefined) throw new Error(`a call to a file that nobody has made (inode ${inode})`);
    return content;
  }
}

function name(names: Map<string, number>, one: Naming): void {
  if (one.kind === "created") names.set(one.name, one.inode);
  else names.delete(one.name);
}

/** `sector`: whether this sector of it, counted from the file's beginning, came to the disk. */
function changed(content: Content, change: Change, sector: (n: number) => boolean): void {
  if (change.kind === "cut") {
    if (change.size < content.size) content.bytes.fill(0, change.size, content.size);
    else room(content, change.size);
    content.size = change.size;
    return;
  }
  const end = change.at + change.data.length;
  for (let at = change.at; at < end; ) {
    const n = Math.floor(at / sectorBytes);
    const next = Math.min(end, (n + 1) * sectorBytes);
    if (sector(n)) {
      room(content, next);
      change.data.copy(content.bytes, at, at - change.at, next - change.at);
      content.size = Math.max(content.size, next);
    }
    at = next;
  }
}

function room(content: Content, size: number): void {
  if (content.bytes.length >= size) return;
  const larger = Buffer.alloc(Math.max(size, content.bytes.length * 2));
  content.bytes.copy(larger, 0, 0, content.size);
  content.bytes = larger;
}

function left({ bytes, size, pending }: Content, random: Random): Buffer {
  const content: Content = { bytes: Buffer.from(bytes), size, pending: [] };
  const fate = random.weighted({ nothing: 1, all: 1, beginning: 3, some: 3 });
  const count = fate === "beginning" ? random.below(pending.length + 1) : pending.length;
  for (const [at, change] of pending.slice(0, count).entries()) {
    if (fate === "nothing") break;
    if (fate === "some" && random.chance(0.4)) continue;
    const torn = fate === "some" ? random.chance(0.5) : fate === "beginning" && at === count - 1;
    if (!torn) changed(content, change, () => true);
    else if (random.chance(0.5)) changed(content, change, () => random.chance(0.5));
    else changed(content, change, before(change, random));
  }
  return content.bytes.subarray(0, content.size);
}

/** The sectors of a write up to somewhere in it. */
function before(change: Change, random: Random): (n: number) => boolean {
  if (change.kind === "cut") return () => random.chance(0.5);
  const first = Math.floor(change.at / sectorBytes);
  const end = first + random.below(Math.ceil(change.data.length / sectorBytes) + 1);
  return (n) => n < end;
}
