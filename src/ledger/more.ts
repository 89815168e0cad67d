/**
 * What few grants and waiters have beside their columns, as one JSON text: null for the common case (one name, held
 * exclusively, without lease), so that it costs nothing there. Read back it is checked field by field.
 */
import type { Claim, GrantRow, Mode, WaiterRow } from "../core/index.js";
import { type LockName, requestKey, type Token, token } from "../terms/index.js";
import { list, number, record, storedName, text } from "./checked.js";

type Common = Pick<GrantRow, "claims" | "ttlMs" | "guarded" | "tell">;

/** Short words: they stand in every such row. Absent: the common case. */
interface More {
  mode?: Mode;
  take?: number;
  also?: { name: string; mode: Mode; take?: number }[];
  ttl?: number;
  guarded?: true;
  place?: true;
  contended?: true;
  converted?: number;
  former?: number[];
  ending?: { program: string; version: string; pid?: number; start?: string; bound: boolean };
  under?: number[];
  beside?: number[];
  convert?: number;
}

// ── written ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export function writtenGrantMore(row: GrantRow): string | null {
  const { converted, former, ending } = row;
  if (isPlain(row) && converted === undefined && former === undefined && ending === undefined) return null;
  const more = writtenCommon(row);
  if (converted !== undefined) more.converted = converted;
  if (former !== undefined) more.former = [...former];
  if (ending !== undefined) {
    const { program, version, process, bound } = ending;
    more.ending = { program, version, bound };
    if (process !== undefined) Object.assign(more.ending, { pid: process.pid, start: process.startTime });
  }
  return JSON.stringify(more);
}

export function writtenWaiterMore(row: WaiterRow): string | null {
  const { under, beside, convertOf } = row;
  if (isPlain(row) && under === undefined && beside === undefined && convertOf === undefined) return null;
  const more = writtenCommon(row);
  if (under !== undefined) more.under = [...under];
  if (beside !== undefined) more.beside = [...beside];
  if (convertOf !== undefined) more.convert = convertOf;
  return JSON.stringify(more);
}

function isPlain({ claims, ttlMs, guarded, tell }: Common): boolean {
  const plain = claims.length === 1 && claims[0]?.mode === "exclusive" && ttlMs === undefined && !guarded;
  return plain && !tell.place && !tell.contended;
}

function writtenCommon({ claims, ttlMs, guarded, tell }: Common): More {
  const more: More = {};
  const [first, ...others] = claims;
  if (first !== undefined && first.mode !== "exclusive") more.mode = first.mode;
  if (first?.take !== undefined) more.take = first.take;
  if (others.length > 0)
    more.also = others.map(({ name, mode, take }) => (take === undefined ? { name, mode } : { name, mode, take }));
  if (ttlMs !== undefined) more.ttl = ttlMs;
  if (guarded) more.guarded = true;
  if (tell.place) more.place = true;
  if (tell.contended) more.contended = true;
  return more;
}

// ── read ────────────────────────────────────────────────────────────────────────────────────────────────────────────

type GrantMore = Pick<GrantRow, "ttlMs" | "guarded" | "tell" | "converted" | "former" | "ending">;
type WaiterMore = Pick<WaiterRow, "ttlMs" | "guarded" | "tell" | "under" | "beside" | "convertOf">;

const plain = { ttlMs: undefined, guarded: false, tell: { place: false, contended: false } };
const plainGrant: GrantMore = { ...plain, converted: undefined, former: undefined, ending: undefined };
const plainWaiter: WaiterMore = { ...plain, under: undefined, beside: undefined, convertOf: undefined };

export function grantMore(stored: string | undefined): GrantMore {
  if (stored === undefined) return plainGrant;
  const more = parsed(stored);
  const { converted, former } = more;
  return {
    ...commonMore(more),
    converted: converted === undefined ? undefined : requestKey(number(converted)),
    former: former === undefined ? undefined : tokensOf(former),
    ending: endingOf(more),
  };
}

export function waiterMore(stored: string | undefined): WaiterMore {
  if (stored === undefined) return plainWaiter;
  const more = parsed(stored);
  const { under, beside, convert } = more;
  return {
    ...commonMore(more),
    under: under === undefined ? undefined : tokensOf(under),
    beside: beside === undefined ? undefined : tokensOf(beside),
    convertOf: convert === undefined ? undefined : token(number(convert)),
  };
}

function tokensOf(stored: unknown): readonly Token[] {
  return list(stored).map((one) => token(number(one)));
}

export function claimsOf(name: LockName, stored: string | undefined): readonly Claim[] {
  if (stored === undefined) return [{ name, mode: "exclusive" }];
  const more = parsed(stored);
  const also = more.also === undefined ? [] : list(more.also).map((one) => record(one));
  return [
    claimOf(name, more.mode ?? "exclusive", more.take),
    ...also.map((one) => claimOf(storedName(one["name"]), one["mode"], one["take"])),
  ];
}

function claimOf(name: LockName, mode: unknown, take: unknown): Claim {
  if (mode !== "exclusive" && mode !== "shared" && mode !== "semaphore")
    throw new RangeError(`${JSON.stringify(mode)} in the ledger is not a mode`);
  return take === undefined ? { name, mode } : { name, mode, take: number(take) };
}

function commonMore({ ttl, guarded, place, contended }: Unchecked): Pick<GrantRow, "ttlMs" | "guarded" | "tell"> {
  const ttlMs = ttl === undefined ? undefined : number(ttl);
  return { ttlMs, guarded: guarded === true, tell: { place: place === true, contended: contended === true } };
}

function endingOf({ ending }: Unchecked): GrantRow["ending"] {
  if (ending === undefined) return undefined;
  const { program, version, pid, start, bound } = record(ending);
  const process = pid === undefined ? undefined : { pid: number(pid), startTime: text(start) };
  return { program: text(program), version: text(version), process, bound: bound === true };
}

type Unchecked = { readonly [Field in keyof More]: unknown };

function parsed(stored: string): Unchecked {
  let value: unknown;
  try {
    value = JSON.parse(stored);
  } catch (cause) {
    throw new RangeError("what a row in the ledger has more is not JSON", { cause });
  }
  return record(value);
}
