/** Where the machines of the conversation put what is to be done; taken away as a whole after each event. */
import type { Refusal } from "../../terms/index.js";
import type { Call } from "./call.js";
import type { Effect } from "./effect.js";

export class Draft {
  #effects: Effect[] = [];

  push(effect: Effect): void {
    this.#effects.push(effect);
  }

  send(call: Call): void {
    this.#effects.push({ kind: "send", id: call.id, method: call.method, params: call.params });
  }

  /** A request of the conversation's own. */
  ask(id: number, method: string, params: object): void {
    this.#effects.push({ kind: "send", id, method, params });
  }

  notify(method: string, params: object): void {
    this.#effects.push({ kind: "send", id: undefined, method, params });
  }

  answer(call: Call, result: unknown): void {
    this.#effects.push({ kind: "answer", call, result });
  }

  refuse(call: Call, refusal: Refusal): void {
    this.#effects.push({ kind: "refuse", call, refusal });
  }

  take(): readonly Effect[] {
    const effects = this.#effects;
    if (effects.length === 0) return none;
    this.#effects = [];
    return effects;
  }
}

const none: readonly Effect[] = [];
