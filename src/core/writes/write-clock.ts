/**
 * How long the writer has been at a statement, in time that counts (the broker's own pauses do not), and which sessions
 * have had their statements killed so often that theirs run alone and short (rule 8).
 */
import type { Instant, Limits, Millis, SessionId } from "../../terms/index.js";
import type { WriterProgress } from "../command.js";
import type { Write } from "./write.js";

const minuteMs = 60_000;
const killsMax = 3;
/** Limit of a write from a session whose writes were killed `killsMax` times in a minute (ms). */
const shortenedMs = 1000;
const pausesKept = 16;

export class WriteClock {
  #pauses: { readonly from: number; readonly to: number }[] = [];
  /** The latest kills of a session, `killsMax` at most; the session that was killed last stands last. */
  readonly #kills = new Map<SessionId, Instant[]>();

  paused(ms: Millis, now: Instant): void {
    this.#pauses.push({ from: now - ms, to: now });
    if (this.#pauses.length > pausesKept) this.#pauses.shift();
  }

  runningMs({ since }: Pick<WriterProgress, "since">, now: Instant): Millis {
    let ms = now - since;
    for (const { from, to } of this.#pauses) ms -= Math.max(0, to - Math.max(from, since));
    return Math.max(0, ms);
  }

  forget(): void {
    this.#pauses = [];
  }

  killed(owner: SessionId, now: Instant): void {
    const recent = [...(this.#kills.get(owner) ?? []), now].slice(-killsMax);
    this.#kills.delete(owner);
    this.#kills.set(owner, recent);
    this.#forgetOld(now);
  }

  /** Sessions of which anything is remembered: those with a kill in the last minute, as of the last kill. */
  get remembered(): number {
    return this.#kills.size;
  }

  killsOften(owner: SessionId, now: Instant): boolean {
    const kills = this.#kills.get(owner);
    if (kills === undefined) return false;
    const recent = kills.filter((at) => now - at < minuteMs);
    if (recent.length === 0) this.#kills.delete(owner);
    else this.#kills.set(owner, recent);
    return recent.length >= killsMax;
  }

  /** As `killsOften`, as of the last time anybody looked. */
  aloneFor(owner: SessionId): boolean {
    return (this.#kills.get(owner)?.length ?? 0) >= killsMax;
  }

  /** Most sessions that were killed once never come back, so nobody else would look at them again. */
  #forgetOld(now: Instant): void {
    for (const [owner, kills] of this.#kills) {
      const last = kills.at(-1);
      if (last !== undefined && now - last < minuteMs) return;
      this.#kills.delete(owner);
    }
  }
}

/** Whether a running write must be ended, and why. */
export function overdue(
  write: Write,
  runningMs: Millis,
  now: { readonly limits: Limits; readonly contended: boolean; readonly shortened: boolean },
): Write["killed"] {
  const { limits } = now;
  if (write.cancelledAt !== undefined && runningMs >= limits.cancelRunningMs) return "cancel";
  let limit = Math.min(write.timeoutMs ?? limits.writeMs, limits.timeoutMsMax);
  if (now.shortened) limit = Math.min(limit, shortenedMs);
  if (runningMs >= limit) return "timeout";
  return now.contended && runningMs >= (write.contendedMs ?? limits.writeContendedMs) ? "contended" : undefined;
}
