/** What the core decided, in words: one line for each row, job and letter of a turn. */
import type { Claim, Job, LedgerEntry, Letter, LockEvent, TableChange, Turn } from "../../../src/core/index.js";
import { type ConnectionId, impossible } from "../../../src/terms/index.js";
import { whatOf } from "./values.js";

/** How sessions and connections are called in the story. */
export interface Cast {
  session(id: string): string;
  connection(id: ConnectionId): string;
}

/** Lines that follow each other and say the same are one, with how often. */
export function linesOf(turns: readonly Turn[], cast: Cast): string[] {
  const lines: string[] = [];
  for (const { ledger, dispatch, send } of turns) {
    for (const entry of ledger) lines.push(`rows    ${rowWords(entry, cast)}`);
    for (const job of dispatch)
      if (job.to === "snapshot") lines.push(`store   ${snapshotWords(job)}`);
      else lines.push(job.to === "system" ? `system  ${jobWords(job, cast)}` : `store   ${jobWords(job, cast)}`);
    for (const letter of send) lines.push(`${cast.connection(letter.to).padEnd(7)} ${letterWords(letter, cast)}`);
  }
  return folded(lines);
}

function folded(lines: readonly string[]): string[] {
  const out: { line: string; times: number }[] = [];
  for (const line of lines) {
    const last = out.at(-1);
    if (last?.line === line) last.times++;
    else out.push({ line, times: 1 });
  }
  return out.map(({ line, times }) => (times === 1 ? line : `${line} (${times} times)`));
}

function rowWords(entry: LedgerEntry, cast: Cast): string {
  switch (entry.kind) {
    case "session-opened":
      return `session ${cast.session(entry.row.session)}`;
    case "session-ended":
      return `session ${cast.session(entry.session)} ended`;
    case "granted":
      return `${claimWords(entry.row.claims)} granted to ${cast.session(entry.row.session)} under ${entry.row.token}`;
    case "grant-changed":
      return `grant ${entry.was} is ${claimWords(entry.row.claims)} under ${entry.row.token}`;
    case "capacity":
      return `${entry.row.name} has ${entry.row.slots} slots`;
    case "grant-ended":
      return `grant ${entry.token} ended`;
    case "queued":
      return `${cast.session(entry.row.session)} waits ${entry.row.convertOf === undefined ? "for" : "to upgrade"} ${claimWords(entry.row.claims)}, place ${entry.row.arrival}`;
    case "unqueued":
      return `place ${entry.arrival} left`;
    case "mark":
      return `tokens below ${entry.tokensTo} reserved, writes to ${entry.seq} stored`;
    case "unmarked":
      return "what was reserved before counts no more";
    default:
      return impossible(entry, "ledger entry");
  }
}

function snapshotWords(job: Extract<Job, { to: "snapshot" }>): string {
  switch (job.kind) {
    case "start":
      return `start snapshot ${job.process}`;
    case "kill":
      return `kill snapshot ${job.process}: ${job.why}`;
    case "begin":
      return `snapshot ${job.process}: begin`;
    case "run":
      return `snapshot ${job.process}: run ${whatOf(job.parcel).what}`;
    case "stream":
      return `snapshot ${job.process}: stream ${whatOf(job.parcel).what}, ${job.credit} bytes`;
    case "credit":
      return `snapshot ${job.process}: ${job.bytes} bytes more`;
    case "close":
      return `snapshot ${job.process}: close the stream`;
    case "end":
      return `snapshot ${job.process}: end`;
    default:
      return impossible(job, "job for a snapshot");
  }
}

function jobWords(job: Exclude<Job, { to: "snapshot" }>, cast: Cast): string {
  switch (job.kind) {
    case "write": {
      const mode = job.mode === "replay" ? "look up" : "run";
      const key = job.key === undefined ? "no key" : `key ${job.key}`;
      return `${mode} write ${job.seq}: ${whatOf(job.parcel).what} (${cast.session(job.session)}, ${key})`;
    }
    case "step": {
      const what = job.parcel === undefined ? "" : `: ${whatOf(job.parcel).what}`;
      const key = job.key === undefined ? "" : `, key ${job.key}`;
      return `${job.step} ${job.seq} of ${job.transaction}${what} (${cast.session(job.session)}${key})`;
    }
    case "settle":
      return `settle ${job.seq}: ${cast.session(job.session)}, keys ${job.keys.join(" ")}`;
    case "forget":
      return `forget replies of ${cast.session(job.session)} below ${job.below}`;
    case "end-session":
      return `session ${cast.session(job.session)} is over`;
    case "reserve":
      return `reserve tokens above ${job.above}${job.newIncarnation ? ", new incarnation" : ""}`;
    case "nothing-held":
      return "write down that nothing is held";
    case "checkpoint":
      return "fold the log";
    case "watch":
      return `watch ${[...job.tables.map(({ table, keys }) => `${table}${keys ? " with keys" : ""}`), ...job.dropped.map((table) => `no ${table}`)].join(", ")} (set ${job.set})`;
    case "probe":
      return job.to === "reader" ? `look at reader ${job.reader}` : "look at the writer";
    case "look-connection":
      return `was ${cast.session(job.session)} heard?`;
    case "end-processes":
      return `end the processes of ${job.names.join(" + ")} under ${job.token}`;
    case "probe-process":
      return `is process ${job.process.pid} of ${cast.session(job.session)} alive?`;
    case "read":
      return `reader ${job.reader}: ${whatOf(job.parcel).what}`;
    case "start":
      return job.to === "writer"
        ? `start a writer${job.repair ? " and repair the log" : ""}`
        : `start reader ${job.reader}`;
    case "kill":
      return job.to === "writer" ? `kill the writer: ${job.why}` : `kill reader ${job.reader}: ${job.why}`;
    default:
      return impossible(job, "job");
  }
}

/** A name alone is claimed exclusively. */
function claimWords(claims: readonly Claim[]): string {
  return claims
    .map(({ name, mode, take = 1 }) => {
      if (mode === "exclusive") return name;
      return mode === "shared" ? `${name} (shared)` : `${name} (${take} of its slots)`;
    })
    .join(" + ");
}

function letterWords(letter: Letter, cast: Cast): string {
  switch (letter.kind) {
    case "welcome": {
      const held = letter.grants.map(({ claims, token }) => `${claimWords(claims)} under ${token}`);
      const lost = letter.lost.map(({ name, token }) => `${name} under ${token}`);
      const holds = held.length === 0 ? "" : `, holds ${held.join(", ")}`;
      return `welcome${letter.resumed ? " back" : ""}${holds}${lost.length === 0 ? "" : `, LOST ${lost.join(", ")}`}`;
    }
    case "answer":
      return `answer: ${String(letter.body)}`;
    case "refused":
      return `${letter.refusal.refused}${letter.refusal.outcome === undefined ? "" : ` (${letter.refusal.outcome})`}: ${named(letter.refusal.message, cast)}`;
    case "granted":
      return `granted ${claimWords(letter.grant.claims)} under ${letter.grant.token} after ${letter.waitedMs} ms`;
    case "begun":
      return `transaction ${letter.transaction} has begun`;
    case "committed":
      return `committed as ${letter.seq}`;
    case "rolled-back":
      return "rolled back";
    case "released":
    case "farewell":
    case "taken":
    case "expired":
      return letter.kind;
    case "acquire-cancelled":
      return `cancel: ${letter.outcome}`;
    case "listing":
      return letter.locks
        .map(({ name, ending, holders, waitersTotal }) => {
          const by = holders.map(({ session }) => cast.session(session)).join(", ");
          return `${name}: ${ending !== undefined ? "draining" : `held by ${by === "" ? "nobody" : by}`}, ${waitersTotal} waiting`;
        })
        .join("; ");
    case "rows":
      return `rows: ${whatOf(letter.message).what}`;
    case "stream-done":
      return `stream ${letter.stream} done after ${letter.rows} rows${letter.refusal === undefined ? "" : `: ${letter.refusal.refused}, ${letter.refusal.message}`}`;
    case "lost":
      return `lost ${letter.fence.name}: ${letter.reason}`;
    case "converted":
      return `${letter.fence.name} converted, under ${letter.fence.token} after ${letter.waitedMs} ms`;
    case "broken":
      return `broken: ${letter.ended.map(({ token, outcome }) => `${token} ${outcome}`).join(", ")}`;
    case "transferred":
      return `transferred ${letter.from} to ${cast.session(letter.heir)}`;
    case "resized":
      return `resized to ${letter.slots}`;
    case "history":
      return `history: ${letter.events.map(eventWords).join(", ")}`;
    case "watching":
      return `watching${letter.gap ? ", with a gap" : ""}${letter.locks === undefined ? "" : `, ${letter.locks.length} locks`}`;
    case "table-watching":
      return `watching tables above ${letter.upTo}${letter.gap ? ", with a gap" : ""}${letter.absent.map((name) => `, no ${name}`).join("")}`;
    case "table-changes":
      return `watch ${letter.watch}: ${[...letter.changes.map(changeWords), ...(letter.gap ? [`a gap up to ${letter.upTo}`] : [])].join("; ")}`;
    case "unwatched":
    case "pong":
      return letter.kind;
    case "queued":
      return `place ${letter.place} of ${letter.waiting} for ${letter.name}`;
    case "contended":
      return `${letter.fence.name} is waited for by ${letter.waiting}`;
    case "revoking":
      return `${letter.fence.name} will be taken in ${letter.graceMs} ms: ${letter.reason}`;
    case "events":
      return `events of watch ${letter.watch}: ${letter.events.map(eventWords).join(", ")}`;
    case "hangup":
      return `hung up: ${letter.refusal.message}`;
    default:
      return impossible(letter, "letter");
  }
}

function eventWords({ kind, name }: LockEvent): string {
  return `${kind} ${name}`;
}

export function changeWords({ seq, table, inserts, updates, deletes, schema }: TableChange): string {
  return `${seq} ${table} +${inserts} ~${updates} -${deletes}${schema === undefined ? "" : ` ${schema}`}`;
}

/** Ids in sentences are long; the story has names for them. */
function named(message: string, cast: Cast): string {
  return message.replace(/[0-9a-f]{32}/g, (id) => cast.session(id));
}
