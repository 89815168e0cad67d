/**
 * What a session may do. Each role includes the one before it:
 *
 * | role  | what it adds                                                                                               |
 * |-------|------------------------------------------------------------------------------------------------------------|
 * | read  | reads, also in transactions, streams, watches; looks at locks, takes them and gives them back: to wait for others changes nothing |
 * | write | writes; takes locks away from those who hold them (steal, break, transfer), changes their slots            |
 * | admin | looks after the broker itself, and may hold up all who write                                               |
 *
 * A session has the role that its first hello has asked for. A later one may ask for less, and then it is less for good.
 */
import { impossible, type Refusal, refuse } from "../../terms/index.js";
import type { ClientCommand } from "../command.js";

const roles = ["read", "write", "admin"] as const;
export type Role = (typeof roles)[number];

export function includes(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

/** Least of all that a command needs; a new kind of command does not compile without an answer. */
export function roleFor(command: ClientCommand): Role {
  switch (command.kind) {
    case "hello":
    case "goodbye":
    case "ping":
    case "settle":
    case "ack":
    case "cancel":
      return "read";
    case "read":
    case "stream":
    case "stream-credit":
    case "stream-close":
    case "watch-tables":
    case "unwatch-tables":
      return "read";
    case "write":
      return command.contendedMs === undefined ? "write" : "admin";
    case "tx-begin":
      return command.mode === "read" ? "read" : "write";
    // Without a transaction they find nothing.
    case "tx-step":
    case "tx-commit":
    case "tx-rollback":
      return "read";
    case "acquire":
      return command.steal ? "write" : "read";
    case "convert":
    case "cancel-acquire":
    case "release":
    case "list":
    case "history":
    case "watch":
    case "unwatch":
      return "read";
    case "break":
    case "transfer":
    case "resize":
      return "write";
    default:
      return impossible(command, "command of a client");
  }
}

export function forbidden(role: Role, needed: Role): Refusal {
  return refuse("FORBIDDEN", `this needs the role ${needed}, and the session has the role ${role}`, { role, needed });
}
