/** What the demo found, as lines of at most 80 columns; pure. */
import { count, formatBytes, formatCount, formatDuration } from "../durations.js";
import type { ActResult } from "./act.js";
import { differenceLines, isExact } from "./check.js";
import type { Member } from "./crew.js";
import type { LatencySummary } from "./latencies.js";

const nothing: LatencySummary = { count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 };

/** One act: a line a process. */
export function actLines({ members, elapsedMs }: ActResult): string[] {
  const head = line(["process", "files", "writes/s", "waits", "waited", "p50 ms", "p99 ms", "max ms"]);
  const rule = line(["─────────", ...Array.from({ length: 7 }, () => "────────")]);
  return [head, rule, ...members.map((member) => line(cellsOf(member, elapsedMs)))];
}

/** Eight columns, 78 signs. */
function line([first = "", ...others]: readonly string[]): string {
  return `  ${first.padEnd(14)}${others.map((cell) => cell.padStart(9)).join("")}`.trimEnd();
}

function cellsOf(member: Member, elapsedMs: number): string[] {
  const latencies = latenciesOf(member);
  const figures = [ms(latencies.p50Ms), ms(latencies.p99Ms), ms(latencies.maxMs)];
  if (member.indexed === undefined)
    return [labelOf(member), "", perSecond(latencies.count, elapsedMs), "", "", ...figures];
  const { files, waits, waitedMs } = member.indexed;
  const waited = waits === 0 ? "" : formatDuration(waitedMs);
  return [labelOf(member), formatCount(files), perSecond(files, elapsedMs), String(waits), waited, ...figures];
}

function labelOf({ role, number, fate }: Pick<Member, "role" | "number" | "fate">): string {
  const name = role === "asker" || role === "direct-asker" ? "asker" : `indexer ${number}`;
  if (fate === "killed") return `${name} †`;
  return fate === "failed" ? `${name} !` : name;
}

function latenciesOf(member: Member): LatencySummary {
  return member.indexed?.writes ?? member.asked?.queries ?? nothing;
}

function perSecond(things: number, elapsedMs: number): string {
  return formatCount(Math.round((things * 1000) / Math.max(1, elapsedMs)));
}

function ms(value: number): string {
  return value < 99.95 ? value.toFixed(1) : formatCount(Math.round(value));
}

/** Both acts beside each other: who got how much, and how long each write took. */
export function besideLines(broker: ActResult, direct: ActResult): string[] {
  const lines = [
    `${" ".repeat(15)}${"through the broker".padEnd(33)}plain SQLite, busy_timeout 5 s`,
    beside("", ["files", "p50 ms", "p99 ms", "max ms"], ["files", "p50 ms", "p99 ms", "max ms"]),
    beside("─────────", Array(4).fill("──────"), Array(4).fill("──────")),
  ];
  for (const [i, member] of broker.members.entries()) {
    const other = direct.members[i];
    lines.push(beside(labelOf(member), fourOf(member), other === undefined ? [] : fourOf(other)));
  }
  const sums = [broker, direct].map((act) => [
    formatCount(act.difference.rowsInTable),
    `${perSecond(act.difference.rowsInTable, act.elapsedMs)}/s`,
  ]);
  lines.push(beside("together", sums[0] ?? [], sums[1] ?? []));
  lines.push("", "  A process has up to 8 writes under way at the broker, and one on plain SQLite.");
  if (broker.brokerKill !== undefined) lines.push("  The broker's maxima contain its own death and restart.");
  return lines;
}

function beside(label: string, left: readonly string[], right: readonly string[]): string {
  const side = (cells: readonly string[]) =>
    [0, 1, 2, 3].map((i) => (cells[i] ?? "").padStart(i === 0 ? 6 : 8)).join("");
  return `  ${label.padEnd(12)}${side(left)}  ${side(right)}`.trimEnd();
}

function fourOf(member: Member): string[] {
  const { p50Ms, p99Ms, maxMs } = latenciesOf(member);
  return [member.indexed === undefined ? "" : formatCount(member.indexed.files), ms(p50Ms), ms(p99Ms), ms(maxMs)];
}

/** The facts below the table, and the verdict. */
export function verdictLines(act: ActResult): string[] {
  const { difference, elapsedMs, indexerKill, brokerKill, members } = act;
  const bytes = members.reduce((sum, member) => sum + (member.indexed?.bytes ?? 0), 0);
  const lines = [
    `${count(difference.rowsInTable, "file")}, ${formatBytes(bytes)} hashed, in ${formatDuration(elapsedMs)}`,
    `${perSecond(difference.rowsInTable, elapsedMs)} writes/s, each on disk before it was acknowledged`,
  ];
  if (indexerKill !== undefined)
    lines.push(
      `indexer ${indexerKill.victim.number} killed: ${recovery(indexerKill.recoveryMs)} until indexer ${indexerKill.heir.number} had its lock`,
    );
  if (brokerKill !== undefined)
    lines.push(`broker killed: ${recovery(brokerKill.recoveryMs)} until the next acknowledged write`);
  lines.push(...unplayed(act), ...complaints(act));
  const exact = isExact(difference);
  lines.push(`table against tree, file by file: ${exact ? "exact" : differenceLines(difference).join("; ")}`);
  return lines.map((line) => `  ${line}`);
}

function recovery(recoveryMs: number): string {
  return `${formatCount(Math.round(recoveryMs))} ms`;
}

/** What the plot wanted and the tree was too small for. */
function unplayed({ indexerKill, brokerKill, members }: ActResult): string[] {
  if (members.some(({ role }) => role === "direct-indexer")) return [];
  const missing = [
    ...(indexerKill === undefined ? ["no indexer was killed"] : []),
    ...(brokerKill === undefined ? ["the broker was not killed"] : []),
  ];
  return missing.length === 0 ? [] : [`${missing.join(", ")}: the work was over too soon (give a larger --tree)`];
}

function complaints({ members }: ActResult): string[] {
  const lines: string[] = [];
  for (const member of members) {
    if (member.fate === "failed") lines.push(`${labelOf(member)}: the process failed`);
    if ((member.asked?.wentBack ?? 0) > 0)
      lines.push(`the asker saw rows vanish ${count(member.asked?.wentBack ?? 0, "time")}`);
  }
  const busy = members.reduce((sum, member) => sum + (member.indexed?.busy ?? 0), 0);
  if (busy > 0) lines.push(`SQLITE_BUSY after the whole busy_timeout: ${count(busy, "time")}`);
  return lines;
}

/** Exact, and nobody failed who was not killed. */
export function succeeded({ difference, members }: ActResult): boolean {
  return isExact(difference) && members.every(({ fate, asked }) => fate !== "failed" && (asked?.wentBack ?? 0) === 0);
}
