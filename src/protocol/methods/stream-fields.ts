/** Fields of streams: those of their own snapshots, and those of transactions. */
import * as is from "../schema.js";
import { statement } from "./sql-fields.js";

export const stream = is.WholeNumber(
  "The stream's number, chosen by the client: in use once at a time on a connection",
  1,
);

export const streaming = {
  ...statement,
  stream,
  credit: is.WholeNumber("How many bytes of db.rows messages may be on the way at first: the window", 1),
  timeoutMs: is.Optional(
    is.WholeNumber("The time that the statement may run without a message, at most the limit timeoutMsMax", 1),
  ),
};

export const streamResult = {
  stream,
  columns: is.ArrayOf(is.Text(), { description: "The columns' names; may repeat" }),
};
