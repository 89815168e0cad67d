/** `holdfast` alone: how things are, in a line, and what to type. */
import type { Call } from "../command.js";
import { count, formatDuration } from "../durations.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { statusOf } from "./status.js";

export async function bare(call: Call): Promise<ExitCode> {
  const found = await statusOf(call);
  const state =
    found === undefined
      ? "no broker is running; the first command that needs one starts it"
      : `holdfast ${found.version} runs: pid ${found.pid}, for ${formatDuration(found.uptimeMs)}, ${count(found.sessions, "session")}, ${count(found.locks.held, "lock")} held, ${count(found.locks.waiting, "waiter")}`;
  for (const line of [
    state,
    "",
    '  holdfast sql "create table if not exists note(text)"',
    '  holdfast sql "insert into note values (?)" "hello"',
    "  holdfast lock deploy -- make release     run it while nobody else does",
    "  holdfast locks                           who holds what, who waits",
    "  holdfast status                          processes, files, log",
    "",
    "holdfast --help lists everything.",
  ])
    call.output.line(line);
  return exitCodes.ok;
}
