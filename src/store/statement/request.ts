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
}

interface RawRequest {
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
  if (isRefusal(plan) || !keyed) return { plan, hash: 0 };
  return { plan, hash: bodyHash(method, plan, params as WriteParams) };
}
