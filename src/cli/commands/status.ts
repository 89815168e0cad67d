/** `holdfast status`: what runs here, how it is, and where its files and log lie. Starts nothing. */
import { statSync } from "node:fs";
import type { StatusResult } from "../../client/index.js";
import type { Places } from "../../places/index.js";
import type { Call, Command } from "../command.js";
import { count, formatBytes, formatCount, formatDuration } from "../durations.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { reachRunning } from "../reach.js";
import { placesOf } from "../surroundings.js";

export const status: Command = {
  prints: true,
  define(parser) {
    parser.addHelpText("after", "\nExit code 0 when a broker runs, 69 when none does.");
  },

  async run(call) {
    if (call.operands.length > 0) call.misused("status takes no operands");
    const places = placesOf(call.options, call.io);
    const found = await statusOf(call);
    if (found === undefined) return nobody(call, places);
    call.output.thing({ running: true, ...found, files: filesOf(places) }, () => statusLines(found, places));
    return exitCodes.ok;
  },
};

/** Undefined: no broker runs. */
export async function statusOf(call: Call): Promise<StatusResult | undefined> {
  const broker = await reachRunning(call);
  try {
    return await broker?.status();
  } finally {
    await broker?.close();
  }
}

function nobody({ output }: Call, places: Places): ExitCode {
  output.thing({ running: false, files: filesOf(places) }, () => [
    "no broker is running",
    "",
    ...aligned([
      ["database", fileText(places.database)],
      ["socket", places.socket],
      ["log", fileText(places.logFile)],
    ]),
    "",
    "any command that needs one starts one; `holdfast serve` runs one in the foreground",
  ]);
  return exitCodes.noBroker;
}

function filesOf({ database, socket, logFile, runDir, dataDir, ledger }: Places) {
  return { database, socket, log: logFile, run: runDir, data: dataDir, ledger };
}

/** The broker's word counts for what it has open; ours for the rest. */
function statusLines(found: StatusResult, places: Places): string[] {
  const { writes, reads, locks, database } = found;
  const log = found.spawned ? (found.places["logFile"] ?? places.logFile) : "stderr of the process in the foreground";
  return [
    `holdfast ${found.version} runs: pid ${found.pid}, for ${formatDuration(found.uptimeMs)}, ${found.spawned ? "started on demand" : "in the foreground"}`,
    "",
    ...aligned([
      ["database", `${database.path} (${formatBytes(database.bytes)}, log ${formatBytes(database.walBytes)})`],
      ["socket", found.places["socket"] ?? places.socket],
      ["log", log],
      ["", ""],
      ["writes", writesText(writes)],
      ["reads", readsText(reads)],
      ["locks", locksText(locks)],
      ["clients", `${count(found.sessions, "session")}, ${count(found.connections, "connection")}`],
      ["", ""],
      ["versions", `Node ${found.node.replace(/^v/, "")}, SQLite ${found.sqlite}, epoch ${found.epoch}`],
      ...found.processes.map(({ role, pid, state, rssBytes }, i): [string, string] => [
        i === 0 ? "processes" : "",
        `${role.padEnd(8)} ${String(pid).padEnd(8)} ${state}${rssBytes === undefined ? "" : `, ${formatBytes(rssBytes)}`}`,
      ]),
    ]),
  ];
}

function writesText({ state, reason, settled, queued, dispatched }: StatusResult["writes"]): string {
  const figures = `${formatCount(settled)} settled, ${formatCount(queued + dispatched)} under way`;
  if (state === "disk-full") return `the disk is full: the last one found no room; ${figures}`;
  return state === "ok" ? figures : `${state}${reason === undefined ? "" : ` (${reason})`}; ${figures}`;
}

function locksText({ state, held, waiting }: StatusResult["locks"]): string {
  const figures = `${formatCount(held)} held, ${formatCount(waiting)} waiting`;
  return state === "ok" ? figures : `the disk is full: none is granted until there is room; ${figures}`;
}

function readsText({ running, queued, snapshots, snapshotsWaiting }: StatusResult["reads"]): string {
  const plain = `${formatCount(running)} running, ${formatCount(queued)} queued`;
  if (snapshots + snapshotsWaiting === 0) return plain;
  const waiting = snapshotsWaiting === 0 ? "" : ` and ${formatCount(snapshotsWaiting)} waiting for one`;
  return `${plain}; ${count(snapshots, "snapshot")} open${waiting}`;
}

function aligned(pairs: readonly (readonly [string, string])[]): string[] {
  return pairs.map(([name, text]) => `${name.padEnd(10)} ${text}`.trimEnd());
}

function fileText(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? `${path} (not there yet)` : `${path} (${formatBytes(stat.size)})`;
}
