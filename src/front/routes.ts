/**
 * Method by method, from checked parameters to what the core understands: a table. A route answers with a command, with
 * a refusal, or with a result of its own where no decision is needed.
 */
import { randomBytes } from "node:crypto";
import type { ClientCommand, Fence } from "../core/index.js";
import {
  type AcquireParams,
  type BatchParams,
  commonVersion,
  type ExecuteParams,
  type HelloParams,
  type MethodName,
  type ParamsOf,
  protocolVersions,
  type QueryParams,
  type ScriptParams,
  type StatusResult,
  secretText,
  sessionIdOf,
  waitersListedMax,
} from "../protocol/index.js";
import { type Judgement, Planner, StoreRequest } from "../store/index.js";
import {
  isRefusal,
  type Limits,
  type LockName,
  lockName,
  type Refusal,
  type RequestId,
  refuse,
  requestKey,
  token,
  utf8Length,
} from "../terms/index.js";
import type { Conversation } from "./conversation.js";
import { identityOf } from "./identity.js";
import type { ProcessTable } from "./processes.js";
import { txRoutes } from "./tx-routes.js";

/** One request on its way in. */
export interface RequestInHand {
  readonly conversation: Conversation;
  readonly request: RequestId;
  /** The frame as it came: the store gets these bytes. */
  readonly raw: Buffer;
}

export type Routed = { readonly command: ClientCommand } | { readonly result: unknown } | Refusal;

export interface RouteParts {
  readonly limits: Limits;
  readonly processes: ProcessTable;
  readonly wallNow: () => number;
  readonly status: () => StatusResult;
  readonly stop: () => void;
}

type Route<Name extends MethodName> = (params: ParamsOf<Name>, incoming: RequestInHand) => Routed;
type Table = { readonly [Name in MethodName]: Route<Name> };

const silent = { place: false, contended: false };

export class Routes {
  readonly #parts: RouteParts;
  /** The same that a child plans with, so that no request is refused at one end and taken at the other. */
  readonly #planner: Planner;
  readonly #table: Table;

  constructor(parts: RouteParts) {
    this.#parts = parts;
    this.#planner = new Planner(parts.limits);
    this.#table = {
      "session.hello": (params, incoming) => this.#hello(params, incoming),
      "session.goodbye": (_, incoming) => ({ command: { kind: "goodbye", ...askerOf(incoming) } }),
      "session.settle": (params, incoming) => this.#settle(params, incoming),
      "session.ping": (_, incoming) => ({ command: { kind: "ping", ...askerOf(incoming) } }),
      "db.execute": (params, incoming) => this.#sql("db.execute", params, incoming),
      "db.query": (params, incoming) => this.#sql("db.query", params, incoming),
      "db.batch": (params, incoming) => this.#sql("db.batch", params, incoming),
      "db.script": (params, incoming) => this.#sql("db.script", params, incoming),
      ...txRoutes(parts.limits, this.#planner),
      "lock.acquire": (params, incoming) => this.#acquire(params, incoming),
      "lock.cancel": ({ key, of }, incoming) => ({
        command: { kind: "cancel-acquire", ...askerOf(incoming), key: requestKey(key), of: requestKey(of) },
      }),
      "lock.release": (params, incoming) => this.#release(params, incoming),
      "lock.list": (params, incoming) => this.#list(params, incoming),
      "admin.status": () => ({ result: parts.status() }),
      "admin.stop": () => {
        parts.stop();
        return { result: {} };
      },
    };
  }

  /** The parameters must have passed the method's schema. */
  route<Name extends MethodName>(method: Name, params: ParamsOf<Name>, incoming: RequestInHand): Routed {
    return this.#table[method](params, incoming);
  }

  // ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #hello(params: HelloParams, incoming: RequestInHand): Routed {
    if (commonVersion(params.protocol) === undefined) {
      const { min, max } = protocolVersions;
      const message = `this broker speaks protocol ${min} to ${max}, the client ${params.protocol.min} to ${params.protocol.max}`;
      return refuse("PROTOCOL_VERSION", message, { min, max });
    }
    const secret = params.secret ?? secretText(randomBytes(32));
    const session = sessionIdOf(secret);
    if (session === undefined) return refuse("PARAMS_INVALID", "params.secret is not a session's secret");
    const identity = identityOf(params, this.#parts.processes, this.#parts.limits);
    if (isRefusal(identity)) return identity;
    const grants = this.#fences(params.grants);
    if (isRefusal(grants)) return grants;
    if (!incoming.conversation.saysHello(incoming.request, secret))
      return refuse("INVALID_REQUEST", "another hello of this connection is not answered yet");
    const pending = (params.pending ?? []).map(requestKey);
    const ackedBelow = params.ack === undefined ? undefined : requestKey(params.ack);
    const { mode = "either", resumeWindowMs: windowMs } = params;
    return {
      command: {
        kind: "hello",
        ...askerOf(incoming),
        session,
        mode,
        identity,
        windowMs,
        grants,
        pending,
        ackedBelow,
        outer: undefined,
      },
    };
  }

  #settle({ secret, keys }: ParamsOf<"session.settle">, incoming: RequestInHand): Routed {
    const session = sessionIdOf(secret);
    if (session === undefined) return refuse("PARAMS_INVALID", "params.secret is not a session's secret");
    const parcel = parcelOf("session.settle", incoming);
    return { command: { kind: "settle", ...askerOf(incoming), session, keys: keys.map(requestKey), parcel } };
  }

  // ── SQL: looked at here, run elsewhere ────────────────────────────────────────────────────────────────────────────

  #sql(
    method: StoreRequest["method"] & `db.${string}`,
    params: ExecuteParams | QueryParams | BatchParams | ScriptParams,
    incoming: RequestInHand,
  ): Routed {
    const judgement = this.#planner.judge(method, params);
    if (isRefusal(judgement)) return judgement;
    const refusal = this.#tooLong(params.timeoutMs);
    if (refusal !== undefined) return refusal;
    return judgement.access === "read"
      ? this.#read(method, params, incoming)
      : this.#write(method, params, judgement, incoming);
  }

  #read(
    method: StoreRequest["method"],
    { timeoutMs }: { readonly timeoutMs?: number },
    incoming: RequestInHand,
  ): Routed {
    return { command: { kind: "read", ...askerOf(incoming), timeoutMs, parcel: parcelOf(method, incoming) } };
  }

  #write(
    method: StoreRequest["method"],
    params: ExecuteParams | BatchParams | ScriptParams,
    { alone }: Judgement,
    incoming: RequestInHand,
  ): Routed {
    const { timeoutMs } = params;
    const fences = this.#fences(params.fence);
    if (isRefusal(fences)) return fences;
    const key = params.key === undefined ? undefined : requestKey(params.key);
    const piecewise = "atomic" in params && params.atomic === false;
    return {
      command: {
        kind: "write",
        ...askerOf(incoming),
        key,
        fences,
        alone,
        piecewise,
        timeoutMs,
        parcel: parcelOf(method, incoming),
      },
    };
  }

  #tooLong(timeoutMs: number | undefined): Refusal | undefined {
    const { timeoutMsMax } = this.#parts.limits;
    if (timeoutMs === undefined || timeoutMs <= timeoutMsMax) return undefined;
    return refuse("PARAMS_INVALID", `params.timeoutMs is ${timeoutMs}, at most ${timeoutMsMax} is allowed`, {
      limit: "timeoutMsMax",
    });
  }

  // ── locks ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #acquire(params: AcquireParams, incoming: RequestInHand): Routed {
    const name = this.#name(params.name);
    if (isRefusal(name)) return name;
    const reason = params.reason ?? "";
    const { metaBytesMax } = this.#parts.limits;
    if (utf8Length(reason) > metaBytesMax)
      return refuse("META_TOO_LARGE", `params.reason is longer than ${metaBytesMax} bytes`, { limit: "metaBytesMax" });
    return {
      command: {
        kind: "acquire",
        ...askerOf(incoming),
        key: requestKey(params.key),
        claims: [{ name, mode: "exclusive" }],
        waitMs: params.waitMs,
        reason,
        ttlMs: undefined,
        guarded: false,
        tell: silent,
        steal: false,
        under: undefined,
      },
    };
  }

  #release(params: ParamsOf<"lock.release">, incoming: RequestInHand): Routed {
    const name = this.#name(params.name);
    if (isRefusal(name)) return name;
    return {
      command: { kind: "release", ...askerOf(incoming), key: requestKey(params.key), name, token: token(params.token) },
    };
  }

  #list(params: ParamsOf<"lock.list">, incoming: RequestInHand): Routed {
    const name = params.name === undefined ? undefined : this.#name(params.name);
    if (isRefusal(name)) return name;
    const waitersMax = params.waiters === false ? 0 : waitersListedMax;
    return {
      command: {
        kind: "list",
        ...askerOf(incoming),
        name,
        prefix: params.prefix ?? "",
        session: undefined,
        contended: false,
        waitersMax,
      },
    };
  }

  #name(text: string): LockName | Refusal {
    const name = lockName(text, this.#parts.limits.nameBytesMax);
    return typeof name === "string"
      ? name
      : refuse("NAME_INVALID", `the lock name ${name.wrong}`, { limit: "nameBytesMax" });
  }

  #fences(listed: readonly { readonly name: string; readonly token: number }[] | undefined): Fence[] | Refusal {
    const fences: Fence[] = [];
    for (const fence of listed ?? []) {
      const name = this.#name(fence.name);
      if (isRefusal(name)) return name;
      fences.push({ name, token: token(fence.token) });
    }
    return fences;
  }
}

function askerOf({ conversation, request }: RequestInHand): { connection: Conversation["id"]; request: RequestId } {
  return { connection: conversation.id, request };
}

function parcelOf(method: StoreRequest["method"], { conversation, raw }: RequestInHand): StoreRequest {
  return new StoreRequest(method, conversation.encoding, raw);
}
