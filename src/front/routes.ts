/**
 * Method by method, from checked parameters to what the core understands: a table. A route answers with a command, with
 * a refusal, or with a result of its own where no decision is needed.
 */
import { randomBytes } from "node:crypto";
import { forbidden, type Role } from "../core/index.js";
import {
  type BatchParams,
  commonVersion,
  type DescribeParams,
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
} from "../protocol/index.js";
import { type Judgement, Planner, StoreRequest } from "../store/index.js";
import { type ConnectionId, isRefusal, type Limits, type Refusal, refuse, requestKey } from "../terms/index.js";
import { fencesFrom, releaseFrom } from "./fences.js";
import { identityOf } from "./identity.js";
import { lockRoutes } from "./lock-routes.js";
import { otherDatabase, type ServedPlaces } from "./other-database.js";
import type { ProcessTable } from "./processes.js";
import { keyFrom } from "./request-keys.js";
import { askerOf, type RequestInHand, type Route, type Routed } from "./route.js";
import { txRoutes } from "./tx-routes.js";
import { watchRoutes } from "./watch-routes.js";

export interface RouteParts {
  readonly places: ServedPlaces;
  readonly limits: Limits;
  readonly processes: ProcessTable;
  readonly wallNow: () => number;
  /** Of the session that speaks on this connection. */
  readonly roleOf: (connection: ConnectionId) => Role | undefined;
  readonly status: () => StatusResult;
  readonly stop: () => void;
}

type Table = { readonly [Name in MethodName]: Route<Name> };

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
      "db.describe": (params, incoming) => this.#sql("db.describe", params, incoming),
      "db.stream": (params, incoming) => this.#stream(params, incoming),
      ...txRoutes(parts.limits, this.#planner),
      ...lockRoutes(parts.limits),
      ...watchRoutes(parts.limits),
      "admin.status": (_, incoming) => this.#asAdmin(incoming) ?? { result: parts.status() },
      "admin.stop": (_, incoming) => this.#asAdmin(incoming) ?? this.#stop(),
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
    const { conversation, request } = incoming;
    // Before the operating system is asked for a process, which may take some milliseconds.
    if (!conversation.maySayHello)
      return refuse("INVALID_REQUEST", "another hello of this connection is not answered yet");
    const secret = params.secret ?? secretText(randomBytes(32));
    const session = sessionIdOf(secret);
    if (session === undefined) return refuse("PARAMS_INVALID", "params.secret is not a session's secret");
    const elsewhere = otherDatabase(params.expects, this.#parts.places);
    if (elsewhere !== undefined) return elsewhere;
    const identity = identityOf(params, this.#parts.processes, this.#parts.limits);
    if (isRefusal(identity)) return identity;
    const grants = fencesFrom(params.grants, this.#parts.limits);
    if (isRefusal(grants)) return grants;
    conversation.saysHello(request, secret);
    const pending = (params.pending ?? []).map(requestKey);
    const ackedBelow = params.ack === undefined ? undefined : requestKey(params.ack);
    const { mode = "either", role, resumeWindowMs: windowMs } = params;
    const outer = params.outer === undefined ? undefined : sessionIdOf(params.outer);
    const said = { mode, role, identity, windowMs, grants, pending, ackedBelow, outer };
    return { command: { kind: "hello", ...askerOf(incoming), session, ...said } };
  }

  #settle({ secret, keys }: ParamsOf<"session.settle">, incoming: RequestInHand): Routed {
    const session = sessionIdOf(secret);
    if (session === undefined) return refuse("PARAMS_INVALID", "params.secret is not a session's secret");
    const parcel = parcelOf("session.settle", incoming);
    return { command: { kind: "settle", ...askerOf(incoming), session, keys: keys.map(requestKey), parcel } };
  }

  // ── looking after the broker: the core has no part in it ──────────────────────────────────────────────────────────

  #stop(): Routed {
    this.#parts.stop();
    return { result: {} };
  }

  /** A hello may have been said and refused: then there is no session. */
  #asAdmin({ conversation }: RequestInHand): Refusal | undefined {
    const role = this.#parts.roleOf(conversation.id);
    if (role === undefined) return refuse("NOT_READY", "session.hello must come first");
    return role === "admin" ? undefined : forbidden(role, "admin");
  }

  // ── SQL: looked at here, run elsewhere ────────────────────────────────────────────────────────────────────────────

  #sql(
    method: "db.execute" | "db.query" | "db.batch" | "db.script" | "db.describe",
    params: ExecuteParams | QueryParams | BatchParams | ScriptParams | DescribeParams,
    incoming: RequestInHand,
  ): Routed {
    const judgement = this.#planner.judge(method, params);
    if (isRefusal(judgement)) return judgement;
    const refusal = this.#tooLong(params.timeoutMs) ?? this.#tooLong(contendedOf(method, params), "contendedMs");
    if (refusal !== undefined) return refusal;
    if (judgement.access === "write") return this.#write(method, params, judgement, incoming);
    if ((params as ExecuteParams).release !== undefined)
      return refuse("PARAMS_INVALID", "params.release goes with what writes, and this only reads", {
        path: "params.release",
      });
    return this.#read(method, params, incoming);
  }

  /** As a query, whose rows come one after the other. */
  #stream(params: ParamsOf<"db.stream">, incoming: RequestInHand): Routed {
    const { stream, credit, timeoutMs } = params;
    const judgement = this.#planner.judge("db.query", params);
    if (isRefusal(judgement)) return judgement;
    const refusal = this.#tooLong(timeoutMs);
    if (refusal !== undefined) return refusal;
    const parcel = parcelOf("db.stream", incoming);
    return { command: { kind: "stream", ...askerOf(incoming), stream, credit, timeoutMs, parcel } };
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
    const fences = fencesFrom(params.fence, this.#parts.limits);
    if (isRefusal(fences)) return fences;
    const release = releaseFrom(params, this.#parts.limits);
    if (isRefusal(release)) return release;
    const keyed = keyFrom(params, this.#parts.limits);
    if (isRefusal(keyed)) return keyed;
    const piecewise = method === "db.script" && (params as ScriptParams).atomic === false;
    if (piecewise && keyed.ownKey)
      return refuse("PARAMS_INVALID", "a script that is not atomic cannot have a text as its key", {
        path: "params.key",
      });
    return {
      command: {
        kind: "write",
        ...askerOf(incoming),
        ...keyed,
        fences,
        release,
        alone,
        piecewise,
        timeoutMs,
        contendedMs: contendedOf(method, params),
        parcel: parcelOf(method, incoming),
      },
    };
  }

  #tooLong(ms: number | undefined, field = "timeoutMs"): Refusal | undefined {
    const { timeoutMsMax } = this.#parts.limits;
    if (ms === undefined || ms <= timeoutMsMax) return undefined;
    return refuse("PARAMS_INVALID", `params.${field} is ${ms}, at most ${timeoutMsMax} is allowed`, {
      limit: "timeoutMsMax",
    });
  }
}

/** Of any other method the field is none. */
function contendedOf(method: StoreRequest["method"], params: object): number | undefined {
  return method === "db.script" ? (params as ScriptParams).contendedMs : undefined;
}

function parcelOf(method: StoreRequest["method"], { conversation, raw }: RequestInHand): StoreRequest {
  return new StoreRequest(method, conversation.encoding, raw);
}
