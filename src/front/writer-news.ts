/** Says in the log when writes begin to be refused because there is no writer, and when they are taken again. */
import type { Core } from "../core/index.js";
import type { FrontLog } from "./options.js";

export class WriterNews {
  readonly #log: FrontLog;
  #reason: string | undefined;

  constructor(log: FrontLog) {
    this.#log = log;
  }

  /** Once a turn. */
  look(writer: Core["writer"]): void {
    if (writer.kind === "unavailable") {
      if (writer.reason !== this.#reason)
        this.#log("error", { reason: writer.reason }, "no writer can be had: writes are refused, reads go on");
      this.#reason = writer.reason;
    } else if (writer.kind === "ready" && this.#reason !== undefined) {
      this.#log("info", {}, "there is a writer again");
      this.#reason = undefined;
    }
  }
}
