/**
 * Results of any size. Rows come as notifications, never more than the client has given credit for; so a client that
 * stops reading slows its own stream and nothing else.
 */
import type { Method, NotificationRow } from "../method.js";
import type { WireValue } from "../numbers.js";
import * as is from "../schema.js";
import type { StatementParams } from "./db.js";
import { refusalData } from "./refusal-fields.js";
import type { SettledError } from "./session.js";
import { ofSql } from "./sql-fields.js";
import { stream, streaming, streamResult } from "./stream-fields.js";

export interface StreamParams extends StatementParams {
  readonly stream: number;
  readonly credit: number;
  readonly timeoutMs?: number;
}

export interface StreamResult {
  readonly stream: number;
  readonly columns: readonly string[];
}

export interface CreditParams {
  readonly stream: number;
  readonly bytes: number;
}

export interface CloseParams {
  readonly stream: number;
}

export interface RowsParams {
  readonly stream: number;
  readonly rows: readonly (readonly WireValue[])[];
}

export interface DoneParams {
  readonly stream: number;
  readonly rows: number;
  readonly error?: SettledError;
}

const ofStreams = [...ofSql, "READ_ONLY", "SNAPSHOT_ENDED"] as const;

export const streamMethods = {
  "db.stream": {
    summary: "Runs one statement that only reads, from one snapshot; its rows come as db.rows, its end as db.done.",
    params: is.schemaOf<StreamParams>()(is.ObjectOf(streaming)),
    result: is.schemaOf<StreamResult>()(is.ObjectOf(streamResult)),
    keyed: "never",
    beforeHello: false,
    refusals: ofStreams,
  } satisfies Method<StreamParams, StreamResult>,
};

export const streamToBroker = {
  "db.credit": {
    summary: "So many bytes of db.rows messages more may be sent: the client has done with as many.",
    params: is.schemaOf<CreditParams>()(
      is.ObjectOf({ stream, bytes: is.WholeNumber("Bytes of whole messages, as they arrived", 1) }),
    ),
  } satisfies NotificationRow<CreditParams>,
  "db.close": {
    summary: "Ends a stream in the middle, or before it has begun. Its db.done says CANCELLED, and no row follows.",
    params: is.schemaOf<CloseParams>()(is.ObjectOf({ stream })),
  } satisfies NotificationRow<CloseParams>,
};

export const streamToClient = {
  "db.rows": {
    summary: "Rows of a stream, in order.",
    params: is.schemaOf<RowsParams>()(
      is.ObjectOf({
        stream,
        rows: is.ArrayOf(is.ArrayOf(is.Value), { description: "Each with as many cells as there are columns" }),
      }),
    ),
  } satisfies NotificationRow<RowsParams>,
  "db.done": {
    summary: "The stream is over: complete, or with an error. Comes once for each stream that was answered.",
    params: is.schemaOf<DoneParams>()(
      is.ObjectOf({
        stream,
        rows: is.WholeNumber("How many rows were sent"),
        error: is.Optional(is.ObjectOf({ message: is.Text(), data: refusalData })),
      }),
    ),
  } satisfies NotificationRow<DoneParams>,
};
