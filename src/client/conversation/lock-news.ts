/**
 * What the broker says of locks without having been asked at that moment: read with care, matched with the grant or the
 * request it speaks of, and passed on. What speaks of nothing that we have, or is not known to this version, is passed
 * over.
 */
import type { Millis } from "../../terms/index.js";
import { countIn, isObject, readFence } from "./answers.js";
import type { Call } from "./call.js";
import type { Draft } from "./draft.js";
import type { Grant } from "./grant.js";
import type { Grants } from "./grants.js";
import type { InFlight } from "./in-flight.js";
import type { Watches } from "./watches.js";

/** Where a request stands in the line, and who is in the way. */
export interface QueueNews {
  /** Of its names, the one whose line is spoken of. */
  readonly name: string;
  /** 1 is next. */
  readonly place: number;
  /** All that wait for it. */
  readonly waiting: number;
  /** As in `lock.list`. */
  readonly holders: readonly unknown[];
  /** The same. */
  readonly ending: "writes" | "processes" | null;
}

/** A lock will be taken from us, unless it is released before. */
export interface RevocationNews {
  readonly graceMs: Millis;
  readonly reason: string;
  /** Who does it: session, program, pid. */
  readonly by: unknown;
}

export type LockNewsEffect =
  /** The request waits. */
  | { readonly kind: "queued"; readonly call: Call; readonly news: QueueNews }
  /** So many wait for what this grant has. */
  | { readonly kind: "contended"; readonly grant: Grant; readonly waiting: number }
  | { readonly kind: "revoking"; readonly grant: Grant; readonly news: RevocationNews };

export class LockNews {
  readonly #draft: Draft;
  readonly #grants: Grants;
  readonly #inFlight: InFlight;
  readonly #watches: Watches;

  constructor(draft: Draft, grants: Grants, asked: { readonly inFlight: InFlight; readonly watches: Watches }) {
    this.#draft = draft;
    this.#grants = grants;
    this.#inFlight = asked.inFlight;
    this.#watches = asked.watches;
  }

  heard(method: string, params: unknown): void {
    if (!isObject(params)) return;
    if (method === "lock.queued") return this.#queued(params);
    if (method === "lock.events") return this.#watches.heard(params);
    if (method === "watch.changes") return this.#watches.heardOfTables(params);
    const grant = this.#grants.get(readFence(params)?.token ?? 0);
    if (grant === undefined) return;
    if (method === "lock.lost") this.#grants.lost(grant.token, textIn(params, "reason", "the broker gave no reason"));
    if (grant.state !== "held") return;
    if (method === "lock.contended")
      this.#draft.push({ kind: "contended", grant, waiting: Math.max(1, countIn(params, "waiting")) });
    if (method === "lock.revoking") {
      const news = { graceMs: countIn(params, "graceMs"), reason: textIn(params, "reason", ""), by: params["by"] };
      this.#draft.push({ kind: "revoking", grant, news });
    }
  }

  #queued(params: Record<string, unknown>): void {
    const { id, holders, ending } = params;
    const call = this.#inFlight.get(Number(id));
    if (call === undefined || call.cancelled) return;
    const news = {
      ...{ name: textIn(params, "name", ""), place: countIn(params, "place"), waiting: countIn(params, "waiting") },
      holders: Array.isArray(holders) ? holders : [],
      ending: ending === "writes" || ending === "processes" ? ending : null,
    } as const;
    this.#draft.push({ kind: "queued", call, news });
  }
}

function textIn(params: Record<string, unknown>, field: string, otherwise: string): string {
  const text = params[field];
  return typeof text === "string" ? text : otherwise;
}
