/** All methods and notifications in one table, the types that follow from it, and the checks. */
import { type Refusal, refuse } from "../terms/index.js";
import { type Check, checkOf } from "./check.js";
import type { Method, NotificationRow, Schema } from "./method.js";
import { adminMethods } from "./methods/admin.js";
import { dbMethods } from "./methods/db.js";
import { describeMethods } from "./methods/describe.js";
import { lockMethods } from "./methods/lock.js";
import { lockInterventionMethods } from "./methods/lock-interventions.js";
import { lockNotices } from "./methods/lock-notices.js";
import { lockViewMethods, lockViewsToClient } from "./methods/lock-views.js";
import { sessionMethods, sessionToBroker, sessionToClient } from "./methods/session.js";
import { streamMethods, streamToBroker, streamToClient } from "./methods/stream.js";
import { txMethods } from "./methods/tx.js";
import { watchMethods, watchToClient } from "./methods/watch.js";

export const methods = {
  ...sessionMethods,
  ...dbMethods,
  ...describeMethods,
  ...streamMethods,
  ...txMethods,
  ...watchMethods,
  ...lockMethods,
  ...lockViewMethods,
  ...lockInterventionMethods,
  ...adminMethods,
};
/** What a client may send without an id. */
export const notificationsToBroker = { ...sessionToBroker, ...streamToBroker };
/** What the broker sends by itself. */
export const notificationsToClient = {
  ...sessionToClient,
  ...streamToClient,
  ...watchToClient,
  ...lockNotices,
  ...lockViewsToClient,
};

type Described<S> = S extends Schema<infer T> ? T : never;

export type MethodName = keyof typeof methods;
export type ParamsOf<Name extends MethodName> = Described<(typeof methods)[Name]["params"]>;
export type ResultOf<Name extends MethodName> = Described<(typeof methods)[Name]["result"]>;
export type ToBroker = keyof typeof notificationsToBroker;
export type ToClient = keyof typeof notificationsToClient;
export type NoticeParams<Name extends ToBroker | ToClient> = Described<
  (typeof notificationsToBroker & typeof notificationsToClient)[Name]["params"]
>;

export const methodNames = Object.keys(methods) as readonly MethodName[];

export function isMethod(word: string): word is MethodName {
  return Object.hasOwn(methods, word);
}

export function isToBroker(word: string): word is ToBroker {
  return Object.hasOwn(notificationsToBroker, word);
}

export function isToClient(word: string): word is ToClient {
  return Object.hasOwn(notificationsToClient, word);
}

/** The row of a method, with its types forgotten. */
export function methodRow(name: MethodName): Method {
  return methods[name];
}

const checks = new Map<string, Check>();

/** Made when first needed: no start pays for methods that are not used. */
function checkFor(name: string, row: { readonly params: Schema<unknown> }): Check {
  let check = checks.get(name);
  if (check === undefined) {
    check = checkOf(row.params);
    checks.set(name, check);
  }
  return check;
}

/** Says what is wrong with the parameters of a request, or nothing: then they are a `ParamsOf` of that method. */
export function checkParams(method: MethodName, params: unknown): Refusal | undefined {
  const wrong = checkFor(method, methods[method])(params);
  return wrong === undefined ? undefined : paramsInvalid(wrong);
}

/** The same for a notification, in either direction. */
export function checkNotice(name: ToBroker | ToClient, params: unknown): Refusal | undefined {
  const row: NotificationRow = isToBroker(name) ? notificationsToBroker[name] : notificationsToClient[name];
  const wrong = checkFor(name, row)(params);
  return wrong === undefined ? undefined : paramsInvalid(wrong);
}

function paramsInvalid(wrong: string): Refusal {
  const path = /^[^ ]*/.exec(wrong)?.[0] ?? "";
  return refuse("PARAMS_INVALID", `params${wrong}`, { path: `params${path}` });
}
