/**
 * Why a grant may end: because somebody asked for it, or because nothing was heard for as long as a lease says. Written
 * down from what the core is told; what ends without a cause, or before its time, is an error of the core.
 */
import type { Command, Fence, Letter } from "../../src/core/index.js";
import type { Held, Shadow } from "./shadow.js";
import { whatOf } from "./store.js";

/** By somebody's will: his own, or another's. */
interface Wish {
  readonly kind: "released" | "broken" | "handed" | "taken";
  readonly name: string;
  /** Absent: whoever holds the name. */
  readonly token: number | undefined;
  /** Whose wish, and where its answer goes. */
  readonly session: string;
  readonly connection: number;
  readonly request: string | number;
  /** Not before, in running time of the broker. */
  readonly from: number;
  /** Only what was granted by then; of what is handed on the answer says which it was, and it may come later. */
  tokenHigh: number;
}

/** Locks that a write gives back when it is there, or a commit with nothing to write when it is answered. */
interface Gift {
  readonly session: string;
  readonly connection: number;
  readonly request: string | number;
  readonly fences: readonly Fence[];
  isThere: boolean;
}

/** The words of the command. */
type Wanted = Pick<Wish, "name" | "connection" | "request"> & { readonly token?: number | undefined };

export type Cause = Wish["kind"] | "given up" | "written";

export class Causes {
  readonly #shadow: Shadow;
  readonly #running: () => number;
  #wishes: Wish[] = [];
  /** By what the write does. It is there whatever becomes of the broker. */
  readonly #gifts = new Map<string, Gift>();
  /** What a client that came back did not list, by its first token: an upgrade may have been granted in that turn. */
  readonly #unlisted = new Set<number>();
  /** They have said goodbye, which gives back all that they have when it takes effect. */
  readonly #parting = new Set<string>();
  /** Of these those whose goodbye went with its connection, unless it has taken effect in this turn. */
  readonly #staying = new Set<string>();
  /** Grants that ended by their holders' own will. */
  readonly #givenBack = new Set<number>();

  constructor(shadow: Shadow, running: () => number) {
    this.#shadow = shadow;
    this.#running = running;
  }

  /** Another life of the broker: what was asked of the one before is asked again, or forgotten. */
  forget(): void {
    this.#wishes = [];
    this.#givenBack.clear();
    this.#parting.clear();
    this.#staying.clear();
  }

  asked(command: Command, session: string): void {
    const from = this.#running();
    switch (command.kind) {
      case "release":
        return this.#wish("released", command, session, from);
      case "goodbye":
        this.#parting.add(session);
        return;
      case "disconnected":
        return this.cameAgain(session);
      case "write":
      case "tx-commit": {
        const { what } = whatOf(command.parcel);
        const isThere = this.#gifts.get(what)?.isThere ?? false;
        const { connection, request, release } = command;
        if (release !== undefined) this.#gifts.set(what, { session, connection, request, fences: release, isThere });
        return;
      }
      case "break":
        return this.#wish("broken", command, session, from + command.graceMs);
      case "transfer":
        return this.#wish("handed", command, session, from);
      case "acquire":
        if (!command.steal) return;
        for (const { name } of command.claims)
          this.#wish("taken", { ...command, name, token: undefined }, session, from);
        return;
      default:
    }
  }

  /** Another connection speaks for it, or will: what it had asked for on the one before, and had not begun, is dropped. */
  cameAgain(session: string): void {
    this.#staying.add(session);
  }

  /** A write is there. */
  applied(what: string): void {
    const gift = this.#gifts.get(what);
    if (gift !== undefined) gift.isThere = true;
  }

  /** What this write gives back. */
  givenBy(what: string): Gift | undefined {
    return this.#gifts.get(what);
  }

  unlisted(token: number): void {
    this.#unlisted.add(this.#shadow.originOf(token));
  }

  /** Turns are over: what is granted from here on is another's. */
  turned(): void {
    const { tokenHigh } = this.#shadow;
    for (const wish of this.#wishes) wish.tokenHigh = Math.min(wish.tokenHigh, tokenHigh);
    for (const session of this.#staying) this.#parting.delete(session);
    this.#staying.clear();
    if (this.#wishes.length > 50) this.#wishes = this.#wishes.slice(-25);
  }

  /**
   * Why this one ends, but for its session and its lease. `send`: what is told in the same turn. A release, and a transfer,
   * wait behind the writes that were sent before them: one that is not answered yet was not the cause, though it was asked
   * for; what was broken before its release took effect is taken away.
   */
  ends(held: Held, send: readonly Letter[]): Cause | undefined {
    const cause = this.#of(held, send);
    // What is taken from one who is there is told: then it was not the goodbye.
    const parts = this.#parting.has(held.session) && !isLost(held, send);
    if (isByHolder(cause) || this.isOwn(held, send) || parts) this.#givenBack.add(held.token);
    return cause;
  }

  #of(held: Held, send: readonly Letter[]): Cause | undefined {
    const { token, origin, session, claims } = held;
    if (this.#unlisted.has(origin)) return "given up";
    // The answer names it: it was not there any more when the commit in the same turn gave it back.
    if (this.#wishes.some((wish) => wish.kind === "handed" && isGranted(wish, token, send))) return "handed";
    // Whoever gave it back is not told that it is lost: somebody else was faster, perhaps in the same turn.
    for (const gift of isLost(held, send) ? [] : this.#gifts.values())
      if (
        (gift.isThere || isAnswered(gift, send)) &&
        gift.session === session &&
        gift.fences.some((fence) => fence.token === token)
      )
        return "written";
    const now = this.#running();
    const found = this.#wishes.filter(
      (wish) =>
        (wish.kind === "handed" || origin <= wish.tokenHigh) &&
        now >= wish.from - 0.001 &&
        this.#means(wish, token, origin) &&
        claims.some(({ name }) => name === wish.name) &&
        (wish.kind !== "released" || wish.session === session) &&
        isGranted(wish, token, send),
    );
    const own = found.find((wish) => wish.session === session && givesBack(wish, token));
    return (own ?? found[0])?.kind;
  }

  /** Its own holder handed it on. */
  isOwn({ token, session, claims }: Held, send: readonly Letter[]): boolean {
    return this.#wishes.some(
      (wish) =>
        wish.kind === "handed" &&
        wish.session === session &&
        givesBack(wish, token) &&
        claims.some(({ name }) => name === wish.name) &&
        isGranted(wish, token, send),
    );
  }

  /** It said goodbye: all that it held. */
  saidGoodbye({ token }: Held): void {
    this.#givenBack.add(token);
  }

  /** By its holder's own will: what was sent before it still counts. */
  isGivenBack({ token }: Held): boolean {
    return this.#givenBack.has(token);
  }

  /** An upgrade changes the token; what others wish of the grant concerns it still. */
  #means({ kind, token: meant }: Wish, token: number, origin: number): boolean {
    if (meant === undefined || meant === token) return true;
    return kind !== "released" && this.#shadow.originsOf([meant])?.[0] === origin;
  }

  #wish(kind: Wish["kind"], { name, token, connection, request }: Wanted, session: string, from: number): void {
    const tokenHigh = Number.POSITIVE_INFINITY;
    this.#wishes.push({ kind, name, token, session, connection, request, from, tokenHigh });
  }
}

function isLost({ token }: Held, send: readonly Letter[]): boolean {
  return send.some((letter) => letter.kind === "lost" && letter.fence.token === token);
}

function isAnswered({ connection, request }: Gift, send: readonly Letter[]): boolean {
  return send.some(
    (letter) =>
      (letter.kind === "answer" || letter.kind === "committed") &&
      letter.to === connection &&
      letter.request === request,
  );
}

/** The client asked for it, or did not list it. */
export function isByHolder(cause: Cause | undefined): boolean {
  return cause === "released" || cause === "given up" || cause === "written";
}

/** Of his own: a client that has heard of an upgrade speaks of the token of now. */
function givesBack({ kind, token: meant }: Wish, token: number): boolean {
  return kind === "released" || (kind === "handed" && (meant ?? token) === token);
}

/** What waits behind writes is told in the turn in which it takes effect: a release, or a transfer, of which grant. */
function isGranted({ kind, connection, request }: Wish, token: number, send: readonly Letter[]): boolean {
  if (kind !== "released" && kind !== "handed") return true;
  return send.some((letter) => {
    if (letter.kind !== (kind === "released" ? "released" : "transferred")) return false;
    if (letter.to !== connection || letter.request !== request) return false;
    return letter.kind === "released" || letter.from === token;
  });
}
