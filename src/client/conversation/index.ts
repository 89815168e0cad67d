/**
 * The client's half of the conversation, pure: (state, event, now) → effects. The twin of the broker's core; both meet
 * in the simulator over a bad network. Absent on purpose: sockets, timers, promises, clocks, randomness, bytes.
 *
 * Who drives it hands in events with the present instant, obeys `takeEffects()` in order after each, and comes back with
 * `{ kind: "time" }` no later than `nextDeadline()`.
 */
export { type Fence, refusalOf, type Welcome } from "./answers.js";
export { Call, type CallKind, type CallMore, type CallParams, type CallState } from "./call.js";
export { Conversation } from "./conversation.js";
export type { Effect } from "./effect.js";
export type { Event } from "./event.js";
export type { Grant, GrantState, LeaseState } from "./grant.js";
export type { LockNewsEffect, QueueNews, RevocationNews } from "./lock-news.js";
export type { ConversationOptions, State, TakenUp } from "./state.js";
export { Tie } from "./transaction-calls.js";
export { Watch, type WatchBegin, type WatchEffect, type WatchFilter, type WatchState } from "./watches.js";
