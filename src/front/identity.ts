/**
 * Who says hello: what a client claims of itself, as far as the operating system bears it out (rule 12). A pid counts
 * only if the process can be read here and now and has the start time that was claimed; otherwise the session lives by
 * its connection and its window alone.
 */
import type { SessionIdentity } from "../core/index.js";
import { type HelloParams, unpairedIn } from "../protocol/index.js";
import { type Limits, type Refusal, refuse, utf8Length } from "../terms/index.js";
import type { ProcessTable } from "./processes.js";

export function identityOf(hello: HelloParams, processes: ProcessTable, limits: Limits): SessionIdentity | Refusal {
  const { program = "", version = "", process: claim, bound = false } = hello;
  if (utf8Length(program) + utf8Length(version) > limits.metaBytesMax)
    return refuse("META_TOO_LARGE", `program and version are longer than ${limits.metaBytesMax} bytes`, {
      limit: "metaBytesMax",
    });
  const unpaired = unpairedIn({ program, version }, "params");
  if (unpaired !== undefined) return unpaired;
  const process = claim === undefined ? undefined : checked(claim, processes);
  if (bound && process === undefined)
    return refuse("PARAMS_INVALID", "a bound session needs a process that is there and can be read by the broker", {
      pid: claim?.pid ?? null,
    });
  return { program, version, process, bound };
}

function checked(claim: NonNullable<HelloParams["process"]>, processes: ProcessTable): SessionIdentity["process"] {
  const { pid, startTime, pidNamespace } = claim;
  if (pidNamespace !== undefined && processes.pidNamespace !== undefined && pidNamespace !== processes.pidNamespace)
    return undefined;
  return processes.startTimeOf(pid) === startTime ? { pid, startTime } : undefined;
}
