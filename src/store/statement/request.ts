/** A request as it reached a child: the client's own bytes, opened again here, because opening them costs less than packing what was opened. */
import { decodeFrame, type Encoding, type WriteParams } from "../../protocol/index.js";
import { isRefusal, type Refusal } from "../../terms/index.js";
import type { StoreMethod } from "../pipe/messages.js";
import { bodyHash } from "./body-hash.js";
import type { Planner, RequestPlan, StoreParams } from "./plan.js";

export interface OpenedRequest {
  readonly plan: RequestPlan | Refusal;
  /** Of a request with a key that is not refused; else 0. */
  readonly hash: number;
  /** The caller's own key, if it has one. */
  readonly own: OwnKeyParams | undefined;
}

export interface OwnKeyParams {
  readonly key: string;
  readonly keepMs: number;
}

/** How long a caller's own key is kept when it does not say (ms). */
const keepMsStandard = 24 * 3_600_000;

export interface RawRequest {
  readonly method: StoreMethod;
  readonly encoding: Encoding;
  readonly raw: Buffer;
}

/** The front has held these bytes to the bounds for clients and checked the parameters; it passes on nothing else. */
export function openParams({ encoding, raw }: Pick<RawRequest, "encoding" | "raw">): unknown {
  const frame = decodeFrame(raw, encoding, "broker");
  if (frame.kind !== "request") throw new Error(`the front passed on a frame that is no request but ${frame.kind}`);
  return frame.params;
}

export function openRequest(request: RawRequest, planner: Planner, keyed: boolean): OpenedRequest {
  const { method } = request;
  const params = openParams(request) as StoreParams;
  const plan = planner.plan(method, params);
  const { key, keepMs = keepMsStandard } = params as WriteParams;
  const own = typeof key === "string" ? { key, keepMs } : undefined;
  if (isRefusal(plan) || (!keyed && own === undefined)) return { plan, hash: 0, own };
  return { plan, hash: bodyHash(method, plan, own === undefined ? (params as WriteParams) : undefined), own };
}
