/**
 * What keeps its place behind a write that a broker which ends has turned away. The write comes to the next broker, under
 * the locks that it was sent under; so what would change these, and was sent behind it on its connection, must come there
 * too, and not be done here before it. What reads behind it must show it, which here nothing can (rule 4). (Other writes
 * are turned away in any case, and so are streams: a broker that ends opens no snapshot.)
 *
 * A transaction has had its place since it began, before the write; so its steps and its end are done, but for an end with
 * which a lock is given back. Who says goodbye wants nothing of what was turned away any more.
 */
import { impossible } from "../terms/index.js";
import type { ClientCommand } from "./command.js";

type KeepingPlace = Extract<
  ClientCommand,
  { kind: "acquire" | "convert" | "release" | "break" | "transfer" | "resize" | "read" }
>;

/** A new kind of command does not compile without an answer. That of a commit is with what it gives back. */
export function keepsItsPlace(command: ClientCommand): command is KeepingPlace {
  switch (command.kind) {
    case "acquire":
    case "convert":
    case "release":
    case "break":
    case "transfer":
    case "resize":
    case "read":
      return true;
    // Turned away by itself.
    case "write":
    case "tx-begin":
    case "stream":
      return false;
    case "tx-step":
    case "tx-commit":
    case "tx-rollback":
      return false;
    case "hello":
    case "settle":
    case "goodbye":
    case "ack":
    case "ping":
    case "cancel":
    case "cancel-acquire":
      return false;
    case "stream-credit":
    case "stream-close":
    case "watch-tables":
    case "unwatch-tables":
    case "list":
    case "history":
    case "watch":
    case "unwatch":
      return false;
    default:
      return impossible(command, "command of a client");
  }
}
