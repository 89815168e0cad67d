/** Thrown where the process must end without answering what it has begun: the front finds out from the exit code and decides. */
import { isDiskFailure } from "../../sqlite/index.js";
import { exitCodes } from "../pipe/parent.js";

export class ProcessMustEnd extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

/** Rule 9: after a failed read or write of the file nothing that this process believes of it can be trusted. */
export function endOnDiskFailure(error: unknown): void {
  if (isDiskFailure(error))
    throw new ProcessMustEnd(exitCodes.diskFailed, `the disk failed: ${error.message} (${error.code})`, error);
}
