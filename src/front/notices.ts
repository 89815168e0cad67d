/** Letters that answer nothing, as the notifications that they become. */
import type { Letter, TableChange } from "../core/index.js";
import {
  type DoneParams,
  type Encoding,
  encodeNotification,
  errorOf,
  type NoticeParams,
  type TableChangeRow,
  type ToClient,
} from "../protocol/index.js";
import type { WallTime } from "../terms/index.js";
import { eventRow, holderRow, someoneOf } from "./lock-rows.js";

type NoticeKind =
  | "lost"
  | "queued"
  | "contended"
  | "revoking"
  | "events"
  | "stream-done"
  | "table-changes"
  | "expired"
  | "taken";
export type Notice = Extract<Letter, { kind: NoticeKind }>;

export function noticeOf(notice: Notice, encoding: Encoding, wallNow: WallTime): Buffer {
  switch (notice.kind) {
    case "lost":
      return said("lock.lost", { ...notice.fence, reason: notice.reason }, encoding);
    case "queued": {
      const { asked: id, key, name, place, waiting, holders, ending = null, now } = notice;
      const rows = holders.map((holder) => holderRow(holder, { now, wallNow }));
      return said("lock.queued", { id, key, name, place, waiting, holders: rows, ending }, encoding);
    }
    case "contended":
      return said("lock.contended", { ...notice.fence, waiting: notice.waiting }, encoding);
    case "revoking": {
      const { fence, graceMs, reason, by } = notice;
      return said("lock.revoking", { ...fence, graceMs, reason, by: someoneOf(by) }, encoding);
    }
    case "events": {
      const { watch, events, now } = notice;
      return said("lock.events", { watch, events: events.map((event) => eventRow(event, { now, wallNow })) }, encoding);
    }
    case "table-changes": {
      const { watch, source, upTo, gap, changes } = notice;
      return said(
        "watch.changes",
        { watch, source, upTo, ...(gap ? { gap } : {}), changes: changes.map(changeRow) },
        encoding,
      );
    }
    case "stream-done":
      return said("db.done", doneParams(notice), encoding);
    case "expired":
      return said("session.expired", {}, encoding);
    case "taken":
      return said("session.taken", {}, encoding);
  }
}

/** `encodeNotification`, with the parameters held to those of the notification. */
function said<Name extends ToClient>(name: Name, params: NoticeParams<Name>, encoding: Encoding): Buffer {
  return encodeNotification(name, params, encoding);
}

/** The values of keys came from the writer as they stand in JSON, which MessagePack takes as well. */
function changeRow(change: TableChange): TableChangeRow {
  return change as TableChangeRow;
}

function doneParams({ stream, rows, refusal }: Extract<Letter, { kind: "stream-done" }>): DoneParams {
  if (refusal === undefined) return { stream, rows };
  const { message, data } = errorOf(refusal);
  return { stream, rows, error: { message, data } };
}
