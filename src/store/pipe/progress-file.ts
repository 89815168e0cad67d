/**
 * What the writer is doing, where it can be read after its death and during an endless statement: a scratch file of 32
 * bytes, written over before each request (rule 8). A killed process leaves what it wrote in the page cache, and nothing
 * more is asked of it.
 *
 *   f64 seq · f64 since, ms on CLOCK_MONOTONIC · f64 phase · f64 seq again: a reader that sees two different ones looks again
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import type { WriterProgress } from "../../core/index.js";
import { type Seq, seq } from "../../terms/index.js";

const phases = ["idle", "running", "committing"] as const;
type Phase = (typeof phases)[number];
const bytes = 32;
const looksMax = 8;

export class ProgressFile {
  readonly #fd: number;
  readonly #note = Buffer.alloc(bytes);

  constructor(path: string) {
    this.#fd = openSync(path, "w+", 0o600);
    this.note(seq(0), "idle");
  }

  /** 1.0 µs (2 cores, ext4, 2026-07). */
  note(at: Seq, phase: Phase): void {
    const note = this.#note;
    const [seconds, nanoseconds] = process.hrtime();
    note.writeDoubleLE(at, 0);
    note.writeDoubleLE(seconds * 1000 + nanoseconds / 1e6, 8);
    note.writeDoubleLE(phases.indexOf(phase), 16);
    note.writeDoubleLE(at, 24);
    writeSync(this.#fd, note, 0, bytes, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Undefined when nothing readable is there. */
export function readProgress(path: string): WriterProgress | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    // No writer has come so far yet; that is an answer.
    return undefined;
  }
  try {
    const note = Buffer.alloc(bytes);
    for (let look = 0; look < looksMax; look++) {
      if (readSync(fd, note, 0, bytes, 0) < bytes) return undefined;
      const phase = phases[note.readDoubleLE(16)];
      if (phase !== undefined && note.readDoubleLE(0) === note.readDoubleLE(24))
        return { seq: seq(note.readDoubleLE(0)), phase, since: note.readDoubleLE(8) };
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}
