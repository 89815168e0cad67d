/**
 * What the broker says, looked at before it is believed: the few results and notifications that the conversation itself
 * reads. A result of another shape gives nothing, and the conversation ends rather than guess.
 */
import { isOutcome, isRefusalCode, type Millis, type Refusal } from "../../terms/index.js";

export interface Fence {
  readonly name: string;
  readonly token: number;
}

export interface WelcomeGrant extends Fence {
  /** The key of the request that was granted. */
  readonly key: number;
}

/** The answer to hello, as far as the conversation needs it; `whole` is all of it, for the program. */
export interface Welcome {
  readonly session: string;
  readonly resumed: boolean;
  /** What the broker has under this session. */
  readonly grants: readonly WelcomeGrant[];
  readonly resumeWindowMs: Millis;
  /** Of the broker's front, which forgets with it what it has answered. */
  readonly life: string;
  readonly whole: Record<string, unknown>;
}

export function readWelcome(result: unknown): Welcome | undefined {
  if (!isObject(result)) return undefined;
  const { session, resumed, grants, resumeWindowMs } = result;
  if (typeof session !== "string" || typeof resumed !== "boolean" || typeof resumeWindowMs !== "number")
    return undefined;
  const present = readWelcomeGrants(grants);
  return present && { session, resumed, grants: present, resumeWindowMs, life: lifeIn(result), whole: result };
}

function lifeIn({ broker }: Record<string, unknown>): string {
  const { pid, startTime } = isObject(broker) ? broker : {};
  return `${String(pid)} ${String(startTime)}`;
}

/** The answer to an acquire, and to an upgrade. */
export interface Granted extends Fence {
  readonly names: readonly [string, ...string[]];
  readonly waitedMs: Millis;
  /** How many wait for it now. */
  readonly waiting: number;
}

export function readGranted(result: unknown): Granted | undefined {
  const fence = readFence(result);
  if (fence === undefined || !isObject(result)) return undefined;
  const { name, token } = fence;
  const { also } = result;
  return {
    name,
    token,
    names: Array.isArray(also) ? [name, ...also.filter((one) => typeof one === "string")] : [name],
    waitedMs: countIn(result, "waitedMs"),
    waiting: countIn(result, "waiting"),
  };
}

/** What became of one write of a session that is over. */
export type Verdict =
  | { readonly kind: "applied"; readonly result: unknown }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  | { readonly kind: "never" }
  | { readonly kind: "unknown" };

export function readOutcomes(result: unknown): Map<number, Verdict> | undefined {
  if (!isObject(result) || !Array.isArray(result["outcomes"])) return undefined;
  const verdicts = new Map<number, Verdict>();
  for (const item of result["outcomes"] as readonly unknown[]) {
    if (!isObject(item) || typeof item["key"] !== "number") return undefined;
    verdicts.set(item["key"], verdictOf(item));
  }
  return verdicts;
}

function verdictOf(item: Record<string, unknown>): Verdict {
  const { outcome, result, error, resultKept } = item;
  if (outcome === "never") return { kind: "never" };
  if (outcome !== "applied") return { kind: "unknown" };
  if (isObject(error)) return { kind: "refused", refusal: refusalOf(error) };
  if (resultKept === false) {
    const message = "the write was applied, but its result was too large to be kept";
    return { kind: "refused", refusal: { refused: "RESULT_NOT_KEPT", message } };
  }
  return { kind: "applied", result };
}

/** The `error` object of a JSON-RPC answer. A code that this version does not know is the broker's fault, not lost. */
export function refusalOf(error: unknown): Refusal {
  const { message, data } = isObject(error) ? error : {};
  const { code, outcome, details } = isObject(data) ? data : {};
  const known = typeof code === "string" && isRefusalCode(code);
  const text = typeof message === "string" ? message : "the broker refused and did not say why";
  return {
    refused: known ? code : "INTERNAL",
    message: known || code === undefined ? text : `${String(code)}: ${text}`,
    ...(isOutcome(outcome) ? { outcome } : {}),
    ...(isObject(details) ? { details } : {}),
  };
}

export interface ArrivedRows {
  readonly stream: number;
  readonly rows: readonly unknown[];
}

export function readRows(params: unknown): ArrivedRows | undefined {
  if (!isObject(params)) return undefined;
  const { stream, rows } = params;
  return typeof stream === "number" && Array.isArray(rows) ? { stream, rows } : undefined;
}

export interface Done {
  readonly stream: number;
  /** How many were sent. */
  readonly rows: number;
  readonly refusal: Refusal | undefined;
}

export function readDone(params: unknown): Done | undefined {
  if (!isObject(params)) return undefined;
  const { stream, rows, error } = params;
  if (typeof stream !== "number" || typeof rows !== "number") return undefined;
  return { stream, rows, refusal: isObject(error) ? refusalOf(error) : undefined };
}

export function readRetryAfter(params: unknown): Millis {
  const after = isObject(params) ? params["retryAfterMs"] : undefined;
  return typeof after === "number" && after > 0 ? Math.min(after, 5000) : 0;
}

function readWelcomeGrants(value: unknown): WelcomeGrant[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const grants: WelcomeGrant[] = [];
  for (const item of value as readonly unknown[]) {
    const fence = readFence(item);
    if (fence === undefined || !isObject(item) || typeof item["key"] !== "number") return undefined;
    grants.push({ ...fence, key: item["key"] });
  }
  return grants;
}

export function readFence(value: unknown): Fence | undefined {
  if (!isObject(value)) return undefined;
  const { name, token } = value;
  if (typeof name !== "string" || typeof token !== "number" || !Number.isSafeInteger(token)) return undefined;
  return { name, token };
}

/** 0 if it is not there: an older broker may not say it. */
export function countIn(value: Record<string, unknown>, field: string): number {
  const count = value[field];
  return typeof count === "number" && count > 0 ? count : 0;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
