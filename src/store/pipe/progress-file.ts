/**
 * What the writer is doing, and how far it has come, where it can be read after its death and during an endless
 * statement: a scratch file of 32 bytes, written over before each request (rule 8). A killed process leaves what it wrote
 * in the page cache, and nothing more is asked of it.
 *
 *   f64 seq · f64 since, ms on CLOCK_MONOTONIC · f64 phase · f64 seq again: a reader that sees two different ones looks again
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import process from "node:process";
import type { WriterProgress } from "../../core/index.js";
import { type Seq, seq } from "../../terms/index.js";

const phases = ["idle", "running", "committing", "folding"] as const;
type Phase = (typeof phases)[number];
const bytes = 32;
/** Where each field stands, in units of eight bytes. */
const fields = { seq: 0, since: 1, phase: 2, seqAgain: 3 } as const;
const looksMax = 8;

export class ProgressFile {
  readonly #fd: number;
  /** Both sides are processes of one machine: its own order of bytes will do. */
  readonly #note = new Float64Array(bytes / 8);

  constructor(path: string) {
    this.#fd = openSync(path, "w+", 0o600);
    this.note(seq(0), "idle");
  }

  /** `at`: 0 for what is nobody's request; the last one stays named. 1.0 µs (2 cores, ext4, 2026-07). */
  note(at: Seq, phase: Phase): void {
    const note = this.#note;
    const [seconds, nanoseconds] = process.hrtime();
    note[fields.since] = seconds * 1000 + nanoseconds / 1e6;
    note[fields.phase] = phases.indexOf(phase);
    if (at > 0) {
      note[fields.seq] = at;
      note[fields.seqAgain] = at;
    }
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
    const note = new Float64Array(bytes / 8);
    for (let look = 0; look < looksMax; look++) {
      if (readSync(fd, note, 0, bytes, 0) < bytes) return undefined;
      const at = note[fields.seq] as number;
      const phase = phases[note[fields.phase] as number];
      if (phase !== undefined && at === note[fields.seqAgain])
        return { seq: seq(at), phase, since: note[fields.since] as number };
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}
