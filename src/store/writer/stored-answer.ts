/** A stored reply as an answer, in the encoding of whoever asks now. */
import { type Encoding, errorOf, type Settled, transcode } from "../../protocol/index.js";
import { isRefusal, type Refusal, type RequestKey, refuse } from "../../terms/index.js";
import { changesBody } from "../statement/result.js";
import type { StatementResult } from "./changes.js";
import { type Lookup, type Reply, replyKinds } from "./replies-kept.js";

/** What is to be stored of a finished request. */
export function replyOf({ body, changes }: StatementResult, encoding: Encoding): Reply {
  if (changes !== undefined)
    return { kind: replyKinds.change, result: `${changes.rowsAffected},${changes.lastInsertRowid ?? ""}` };
  return { kind: replyKinds[encoding], result: body };
}

export function answerOf({ kind, result }: Reply, encoding: Encoding): Buffer | Refusal {
  switch (kind) {
    case replyKinds.notKept:
      return refuse("RESULT_NOT_KEPT", "the write was applied, but its result was too large to be kept");
    case replyKinds.json:
      return transcode(result as Buffer, "json", encoding);
    case replyKinds.msgpack:
      return transcode(result as Buffer, "msgpack", encoding);
    case replyKinds.change: {
      const [affected, rowid] = (result as string).split(",");
      return changesBody({ rowsAffected: Number(affected), lastInsertRowid: rowid ? BigInt(rowid) : null }, encoding);
    }
    case replyKinds.refusal:
      return JSON.parse(result as string) as Refusal;
    case replyKinds.begun:
      return refuse(
        "OUTCOME_UNKNOWN",
        `the writer died while it ran this script; ${result} of its statements were applied for certain`,
        {
          applied: Number(result),
        },
      );
  }
}

export function settledOf(key: RequestKey, found: Lookup, encoding: Encoding): Settled {
  if (found.state === "never") return { key, outcome: "never", resultKept: false };
  if (found.state === "forgotten") return { key, outcome: "unknown", resultKept: false };
  const { kind } = found.reply;
  const answer = answerOf(found.reply, encoding);
  if (!isRefusal(answer)) return { key, outcome: "applied", result: answer, resultKept: true };
  if (kind === replyKinds.notKept) return { key, outcome: "applied", resultKept: false };
  const { message, data } = errorOf(answer);
  return {
    key,
    outcome: kind === replyKinds.begun ? "unknown" : "applied",
    error: { message, data },
    resultKept: false,
  };
}
