/** The methods of transactions, from checked parameters to what the core understands. */
import type { MethodName, ParamsOf } from "../protocol/index.js";
import { type Planner, StoreRequest } from "../store/index.js";
import { isRefusal, type Limits, type Refusal, refuse, transactionNumber } from "../terms/index.js";
import { fencesFrom, releaseFrom } from "./fences.js";
import { keyFrom } from "./request-keys.js";
import { askerOf, type RequestInHand, type Route, type Routed } from "./route.js";

type TxMethod = Extract<MethodName, `tx.${string}`>;
type TxRoutes = { readonly [Name in TxMethod]: Route<Name> };

export function txRoutes(limits: Limits, planner: Planner): TxRoutes {
  const parts = { limits, planner };
  return {
    "tx.begin": (params, incoming) => begin(params, incoming, limits),
    "tx.execute": (params, incoming) => step("tx.execute", params, incoming, parts),
    "tx.batch": (params, incoming) => step("tx.batch", params, incoming, parts),
    "tx.stream": (params, incoming) => stream(params, incoming, parts),
    "tx.commit": (params, incoming) => commit(params, incoming, limits),
    "tx.rollback": ({ tx }, incoming) => ({
      command: { kind: "tx-rollback", ...askerOf(incoming), transaction: transactionNumber(tx) },
    }),
  };
}

function begin({ tx, mode, fence, timeoutMs }: ParamsOf<"tx.begin">, incoming: RequestInHand, limits: Limits): Routed {
  const fences = fencesFrom(fence, limits);
  if (isRefusal(fences)) return fences;
  if (mode === "read" && fences.length > 0)
    return refuse("PARAMS_INVALID", "params.fence is for transactions that write", { path: "params.fence" });
  const refusal = tooLong(timeoutMs, mode === "read" ? "snapshotMs" : "txMs", limits);
  if (refusal !== undefined) return refusal;
  const transaction = transactionNumber(tx);
  return { command: { kind: "tx-begin", ...askerOf(incoming), transaction, mode, fences, timeoutMs } };
}

function commit(params: ParamsOf<"tx.commit">, incoming: RequestInHand, limits: Limits): Routed {
  const keyed = keyFrom(params, limits);
  if (isRefusal(keyed)) return keyed;
  const release = releaseFrom(params, limits);
  if (isRefusal(release)) return release;
  const transaction = transactionNumber(params.tx);
  const parcel = parcelOf("tx.commit", incoming);
  return { command: { kind: "tx-commit", ...askerOf(incoming), transaction, ...keyed, release, parcel } };
}

function step<Name extends "tx.execute" | "tx.batch">(
  method: Name,
  params: ParamsOf<Name>,
  incoming: RequestInHand,
  { limits, planner }: { readonly limits: Limits; readonly planner: Planner },
): Routed {
  const judgement = planner.judge(method, params);
  if (isRefusal(judgement)) return judgement;
  const { tx, timeoutMs } = params;
  const refusal = tooLong(timeoutMs, "timeoutMsMax", limits);
  if (refusal !== undefined) return refusal;
  const parcel = parcelOf(method, incoming);
  const transaction = transactionNumber(tx);
  const { access, control = false } = judgement;
  const writes = access === "write";
  return { command: { kind: "tx-step", ...askerOf(incoming), transaction, writes, control, timeoutMs, parcel } };
}

function stream(
  params: ParamsOf<"tx.stream">,
  incoming: RequestInHand,
  { limits, planner }: { readonly limits: Limits; readonly planner: Planner },
): Routed {
  const judgement = planner.judge("db.query", params);
  if (isRefusal(judgement)) return judgement;
  const { tx, stream: number, credit, timeoutMs } = params;
  const refusal = tooLong(timeoutMs, "timeoutMsMax", limits);
  if (refusal !== undefined) return refusal;
  const parcel = parcelOf("tx.stream", incoming);
  const transaction = transactionNumber(tx);
  return { command: { kind: "stream", ...askerOf(incoming), stream: number, transaction, credit, timeoutMs, parcel } };
}

function tooLong(
  timeoutMs: number | undefined,
  limit: "txMs" | "snapshotMs" | "timeoutMsMax",
  limits: Limits,
): Refusal | undefined {
  const most = limits[limit];
  if (timeoutMs === undefined || timeoutMs <= most) return undefined;
  return refuse("PARAMS_INVALID", `params.timeoutMs is ${timeoutMs}, at most ${most} is allowed`, { limit });
}

function parcelOf(method: TxMethod & StoreRequest["method"], { conversation, raw }: RequestInHand): StoreRequest {
  return new StoreRequest(method, conversation.encoding, raw);
}
