/**
 * One lock that the broker granted, as the client may rely on it.
 *
 *   held ──release──► releasing ──answered──► released
 *     │                   ▲  refused for another reason than "not held": held again
 *     └──lost─────────────┴───────────────────► lost
 *
 * A grant that is being released is never lost: whatever took it away, it is gone as the program wished.
 */
export type GrantState = "held" | "releasing" | "released" | "lost";

export class Grant {
  readonly name: string;
  readonly token: number;
  /** The request key under which it was granted. */
  readonly key: number;
  state: GrantState = "held";
  /** Why it was lost; valid in that state. */
  reason = "";

  constructor(name: string, token: number, key: number) {
    this.name = name;
    this.token = token;
    this.key = key;
  }
}
