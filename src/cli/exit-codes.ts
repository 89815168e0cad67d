/**
 * What the command line ends with: sysexits where one fits, so that a script can tell "refused" from "nobody there"
 * from "somebody else has it". `lock` passes on its command's own code instead; its conflict code can be chosen.
 */
import type { RefusalCode } from "../terms/index.js";

export const exitCodes = {
  ok: 0,
  /** The broker, SQLite or the system said no. */
  refused: 1,
  /** EX_USAGE: the command line itself is wrong. */
  usage: 64,
  /** EX_UNAVAILABLE: no broker, and none could be had. */
  noBroker: 69,
  /** EX_TEMPFAIL: the lock was not got, or was lost; a broker already runs. */
  notGot: 75,
  /** EX_NOPERM. */
  permission: 77,
  /** EX_CONFIG. */
  configuration: 78,
  /** As a shell says: found, but cannot be executed. */
  cannotExecute: 126,
  /** As a shell says: not found. */
  commandNotFound: 127,
  /** As a shell says it of a program that ended by signal n: 128+n. */
  signalBase: 128,
} as const;

export type ExitCode = number;

/** What is not named here is a plain refusal. */
const ofRefusal: Partial<Record<RefusalCode, ExitCode>> = {
  NAME_INVALID: exitCodes.usage,
  META_TOO_LARGE: exitCodes.usage,
  MISUSE: exitCodes.usage,
  NO_BROKER: exitCodes.noBroker,
  START_FAILED: exitCodes.noBroker,
  CONNECTION_LOST: exitCodes.noBroker,
  CONNECTIONS_FULL: exitCodes.noBroker,
  SHUTTING_DOWN: exitCodes.noBroker,
  NATIVE_MODULE: exitCodes.noBroker,
  ALREADY_RUNNING: exitCodes.notGot,
  LOCK_HELD: exitCodes.notGot,
  LOCK_TIMEOUT: exitCodes.notGot,
  LOCK_LOST: exitCodes.notGot,
  DEADLOCK: exitCodes.notGot,
  QUEUE_FULL: exitCodes.notGot,
  FORBIDDEN: exitCodes.permission,
  PERMISSION: exitCodes.permission,
  CONFIGURATION: exitCodes.configuration,
  DATA_FOREIGN: exitCodes.configuration,
  OTHER_DATABASE: exitCodes.configuration,
};

export function exitCodeOf(code: RefusalCode): ExitCode {
  return ofRefusal[code] ?? exitCodes.refused;
}
