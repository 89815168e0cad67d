/**
 * The methods of the lock table, from checked parameters to what the core understands. What a schema cannot say of them
 * is said here: limits, and which fields go together.
 */
import type { Claim, Tell } from "../core/index.js";
import { type AcquireParams, type ClaimParams, type MethodName, waitersListedMax } from "../protocol/index.js";
import {
  isRefusal,
  type Limits,
  type Refusal,
  type RequestKey,
  refuse,
  requestKey,
  sessionId,
  type Token,
  token,
  utf8Length,
} from "../terms/index.js";
import { nameFrom } from "./fences.js";
import { askerOf, type RequestInHand, type Route, type Routed } from "./route.js";

type LockMethod = Extract<MethodName, `lock.${string}`>;
type LockRoutes = { readonly [Name in LockMethod]: Route<Name> };

const tellNothing: Tell = { place: false, contended: false };

export function lockRoutes(limits: Limits): LockRoutes {
  return {
    "lock.acquire": (params, incoming) => acquire(params, incoming, limits),
    "lock.upgrade": (params, incoming) =>
      ofGrant(params, limits, (fence, key) => {
        const wish = { to: "exclusive", waitMs: params.waitMs, under: params.under?.map(token) } as const;
        return { command: { kind: "convert", ...askerOf(incoming), key, ...fence, ...wish } };
      }),
    "lock.downgrade": (params, incoming) =>
      ofGrant(params, limits, (fence, key) => {
        const wish = { to: "shared", waitMs: undefined, under: undefined } as const;
        return { command: { kind: "convert", ...askerOf(incoming), key, ...fence, ...wish } };
      }),
    "lock.cancel": ({ key, of }, incoming) => ({
      command: { kind: "cancel-acquire", ...askerOf(incoming), key: requestKey(key), of: requestKey(of) },
    }),
    "lock.release": (params, incoming) =>
      ofGrant(params, limits, (fence, key) => ({
        command: { kind: "release", ...askerOf(incoming), key, ...fence, lost: params.lost === true },
      })),
    ...viewRoutes(limits),
    ...interventionRoutes(limits),
  };
}

// ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function acquire(params: AcquireParams, incoming: RequestInHand, limits: Limits): Routed {
  const claims = claimsOf(params, limits);
  if (isRefusal(claims)) return claims;
  const { reason = "", ttlMs, tell, under } = params;
  const refusal = tooLong(reason, limits) ?? wrongLease(ttlMs, limits);
  if (refusal !== undefined) return refusal;
  return {
    command: {
      kind: "acquire",
      ...askerOf(incoming),
      key: requestKey(params.key),
      claims,
      waitMs: params.waitMs,
      reason,
      ttlMs,
      guarded: params.guard ?? false,
      tell: tell === undefined ? tellNothing : { place: tell.includes("place"), contended: tell.includes("contended") },
      steal: params.steal ?? false,
      under: under?.map(token),
    },
  };
}

function claimsOf(params: AcquireParams, limits: Limits): Claim[] | Refusal {
  const first = claimOf(params, "params", limits);
  if (isRefusal(first)) return first;
  const claims = [first];
  if (params.also === undefined) return claims;
  const { namesPerRequestMax } = limits;
  if (params.also.length >= namesPerRequestMax)
    return refuse(
      "PARAMS_INVALID",
      `the request has ${params.also.length + 1} names, at most ${namesPerRequestMax} are allowed`,
      { limit: "namesPerRequestMax", path: "params.also" },
    );
  for (const [at, further] of params.also.entries()) {
    const claim = claimOf(further, `params.also[${at}]`, limits);
    if (isRefusal(claim)) return claim;
    claims.push(claim);
  }
  return claims;
}

function claimOf(
  { name: text, mode = "exclusive", slots, take }: ClaimParams,
  path: string,
  limits: Limits,
): Claim | Refusal {
  const name = nameFrom(text, limits);
  if (isRefusal(name)) return name;
  if (mode === "semaphore") return { name, mode, slots, take };
  if (slots === undefined && take === undefined) return { name, mode };
  const field = slots === undefined ? "take" : "slots";
  return refuse("PARAMS_INVALID", `${path}.${field} is for the mode "semaphore", not for "${mode}"`, {
    path: `${path}.${field}`,
  });
}

function tooLong(reason: string, { metaBytesMax }: Limits): Refusal | undefined {
  if (reason.length * 3 <= metaBytesMax || utf8Length(reason) <= metaBytesMax) return undefined;
  return refuse("META_TOO_LARGE", `params.reason is longer than ${metaBytesMax} bytes`, { limit: "metaBytesMax" });
}

function wrongLease(ttlMs: number | undefined, { ttlMsMin, ttlMsMax }: Limits): Refusal | undefined {
  if (ttlMs === undefined || (ttlMs >= ttlMsMin && ttlMs <= ttlMsMax)) return undefined;
  const [limit, bound] = ttlMs < ttlMsMin ? ["ttlMsMin", `at least ${ttlMsMin}`] : ["ttlMsMax", `at most ${ttlMsMax}`];
  return refuse("PARAMS_INVALID", `params.ttlMs is ${ttlMs}, and must be ${bound}`, { limit, path: "params.ttlMs" });
}

// ── of a grant, or of a name ────────────────────────────────────────────────────────────────────────────────────────

interface OfName {
  readonly name: string;
  readonly key: number;
}

function ofGrant(
  params: OfName & { readonly token: number },
  limits: Limits,
  route: (fence: { name: Claim["name"]; token: Token }, key: RequestKey) => Routed,
): Routed {
  const name = nameFrom(params.name, limits);
  return isRefusal(name) ? name : route({ name, token: token(params.token) }, requestKey(params.key));
}

function interventionRoutes(limits: Limits): Pick<LockRoutes, "lock.break" | "lock.transfer" | "lock.resize"> {
  return {
    "lock.break": (params, incoming) => {
      const about = aboutName(params, limits);
      if (isRefusal(about)) return about;
      return { command: { kind: "break", ...askerOf(incoming), ...about, graceMs: params.graceMs ?? 0 } };
    },
    "lock.transfer": (params, incoming) => {
      const about = aboutName(params, limits);
      if (isRefusal(about)) return about;
      return { command: { kind: "transfer", ...askerOf(incoming), ...about, to: sessionId(params.to) } };
    },
    "lock.resize": (params, incoming) => {
      const name = nameFrom(params.name, limits);
      if (isRefusal(name)) return name;
      const key = requestKey(params.key);
      return { command: { kind: "resize", ...askerOf(incoming), key, name, slots: params.slots } };
    },
  };
}

function aboutName(params: OfName & { readonly token?: number; readonly reason?: string }, limits: Limits) {
  const name = nameFrom(params.name, limits);
  if (isRefusal(name)) return name;
  const { reason = "" } = params;
  const refusal = tooLong(reason, limits);
  if (refusal !== undefined) return refusal;
  return {
    name,
    key: requestKey(params.key),
    token: params.token === undefined ? undefined : token(params.token),
    reason,
  };
}

// ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function viewRoutes(limits: Limits): Pick<LockRoutes, "lock.list" | "lock.history" | "lock.watch" | "lock.unwatch"> {
  return {
    "lock.list": (params, incoming) => {
      const which = namesOf(params, limits);
      if (isRefusal(which)) return which;
      const session = params.session === undefined ? undefined : sessionId(params.session);
      const waitersMax = params.waiters === false ? 0 : waitersListedMax;
      const contended = params.contended ?? false;
      const after = params.after === undefined ? undefined : nameFrom(params.after, limits);
      if (isRefusal(after)) return after;
      return { command: { kind: "list", ...askerOf(incoming), ...which, session, contended, after, waitersMax } };
    },
    "lock.history": (params, incoming) => {
      const name = nameFrom(params.name, limits);
      if (isRefusal(name)) return name;
      const max = Math.min(params.max ?? limits.historyEventsMax, limits.historyEventsMax);
      return { command: { kind: "history", ...askerOf(incoming), name, max } };
    },
    "lock.watch": (params, incoming) => {
      if (params.name !== undefined && params.prefix !== undefined)
        return refuse(
          "PARAMS_INVALID",
          "params.prefix is for many names, and params.name is one: give one of the two",
          {
            path: "params.prefix",
          },
        );
      const which = namesOf(params, limits);
      if (isRefusal(which)) return which;
      const { watch, after } = params;
      return { command: { kind: "watch", ...askerOf(incoming), ...which, watch, after } };
    },
    "lock.unwatch": ({ watch }, incoming) => ({ command: { kind: "unwatch", ...askerOf(incoming), watch } }),
  };
}

function namesOf(params: { readonly name?: string; readonly prefix?: string }, limits: Limits) {
  const { prefix = "" } = params;
  const name = params.name === undefined ? undefined : nameFrom(params.name, limits);
  if (isRefusal(name)) return name;
  const { nameBytesMax } = limits;
  // It is kept as long as it is watched.
  if (prefix.length > nameBytesMax)
    return refuse("NAME_INVALID", `params.prefix has more than ${nameBytesMax} characters: no name begins so`, {
      limit: "nameBytesMax",
      path: "params.prefix",
    });
  return { name, prefix };
}
