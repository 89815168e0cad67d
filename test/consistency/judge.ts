/**
 * Whether a history can be told as one order of its operations in which each sees what those before it have done, none
 * comes before one that was answered before it was asked, and a read follows what its session had sent before it
 * (strict serializability, and promise 3).
 *
 * The order of the versions of a list is what it held at the end; from it follows who came before whom:
 *
 *   wrote     the append before and the append behind it
 *   read      the append that a read saw last and the read; the read and the first append that it did not see
 *   time      one that was answered before the other was asked
 *   session   a write that was sent before a read of the same session
 *
 * A circle of these is a contradiction. What it cannot show: that an operation of unknown outcome, of which nobody
 * has seen anything, did not happen.
 */
import type { History, Operation } from "./history.js";

interface Edge {
  readonly to: number;
  readonly why: string;
}

export function contradictions(history: History): string[] {
  const found: string[] = [];
  const wrong = (what: string) => void found.push(what);
  for (const { sums } of history.balances) {
    const sum = sums.reduce((all, one) => all + one, 0);
    if (sum !== history.money) wrong(`accounts were seen to have ${sum} together, not ${history.money}`);
    if (sums.some((one) => one < 0)) wrong(`an account was seen with ${Math.min(...sums)}`);
  }
  const lists = new Lists(history, wrong);
  const counted = history.operations.filter((operation) => lists.happened(operation));
  for (const operation of counted) lists.look(operation);
  if (found.length > 0) return found;
  const edges = new Map<number, Edge[]>(counted.map(({ id }) => [id, []]));
  const before = (from: number, to: number, why: string) => {
    if (from !== to) edges.get(from)?.push({ to, why });
  };
  lists.order(counted, before);
  timeOrder(counted, before);
  sessionOrder(counted, before);
  const circle = circleIn(edges);
  if (circle !== undefined) wrong(`no order is possible: ${circle}`);
  return found;
}

type Before = (from: number, to: number, why: string) => void;

/** The versions of all lists, and who made them. */
class Lists {
  readonly #final: ReadonlyMap<string, readonly number[]>;
  readonly #wrong: (what: string) => void;
  /** By `key value`. */
  readonly #places = new Map<string, number>();
  readonly #writers = new Map<string, Operation>();

  constructor({ final, operations }: History, wrong: (what: string) => void) {
    this.#final = final;
    this.#wrong = wrong;
    for (const operation of operations)
      for (const micro of operation.micros)
        if (micro.kind === "append") this.#writers.set(`${micro.key} ${micro.value}`, operation);
    for (const [key, values] of final)
      for (const [place, value] of values.entries()) {
        const name = `${key} ${value}`;
        if (this.#places.has(name)) wrong(`${value} stands twice in ${key}`);
        this.#places.set(name, place);
        const by = this.#writers.get(name);
        if (by === undefined) wrong(`${value} stands in ${key}, and nobody has appended it`);
        else if (by.outcome === "not done") wrong(`${value} stands in ${key}, and its append (${by.id}) was refused`);
      }
  }

  /** It was answered as done; or something of it is there, and then all of it must be. */
  happened({ id, outcome, micros }: Operation): boolean {
    if (outcome === "not done") return false;
    const appends = micros.filter((micro) => micro.kind === "append");
    const there = appends.filter(({ key, value }) => this.#places.has(`${key} ${value}`));
    if (outcome === "unknown" && there.length === 0) return false;
    for (const { key, value } of appends)
      if (!this.#places.has(`${key} ${value}`))
        this.#wrong(`${value} does not stand in ${key}, and its append (${id}) was ${outcome}`);
    return true;
  }

  /** Each read is a beginning of the list, with nothing of the middle of somebody's transaction, and one's own behind it. */
  look({ id, micros }: Operation): void {
    const own = new Map<string, number[]>();
    for (const micro of micros) {
      const mine = own.get(micro.key) ?? [];
      if (micro.kind === "append") own.set(micro.key, [...mine, micro.value]);
      else {
        const { key, values } = micro;
        const others = values.slice(0, values.length - mine.length);
        if (values.slice(others.length).join() !== mine.join())
          this.#wrong(`operation ${id} appended ${mine} to ${key} and then read ${values}`);
        const final = this.#final.get(key) ?? [];
        if (others.some((value, place) => final[place] !== value))
          this.#wrong(`operation ${id} read ${values} in ${key}, which held ${final.slice(0, values.length + 1)} …`);
        this.#lookAtEnd(id, key, others);
      }
    }
  }

  #lookAtEnd(id: number, key: string, seen: readonly number[]): void {
    const last = seen.at(-1);
    if (last === undefined) return;
    const by = this.#writers.get(`${key} ${last}`);
    const appended = by?.micros.filter((micro) => micro.kind === "append" && micro.key === key) ?? [];
    const end = appended.at(-1);
    if (end?.kind === "append" && end.value !== last && by?.id !== id)
      this.#wrong(`operation ${id} read ${last} in ${key}, in the middle of operation ${by?.id}`);
  }

  order(operations: readonly Operation[], before: Before): void {
    for (const [key, values] of this.#final)
      for (let place = 1; place < values.length; place++)
        before(this.#maker(key, values[place - 1]), this.#maker(key, values[place]), `wrote ${key} before`);
    for (const { id, micros } of operations) {
      const own = new Map<string, number>();
      for (const micro of micros) {
        const mine = own.get(micro.key) ?? 0;
        if (micro.kind === "append") own.set(micro.key, mine + 1);
        else this.#readOrder(id, { key: micro.key, seen: micro.values.length - mine }, before);
      }
    }
  }

  #readOrder(id: number, { key, seen }: { readonly key: string; readonly seen: number }, before: Before): void {
    const final = this.#final.get(key) ?? [];
    if (seen > 0) before(this.#maker(key, final[seen - 1]), id, `was read in ${key} by`);
    if (seen < final.length) before(id, this.#maker(key, final[seen]), `did not see in ${key}`);
  }

  #maker(key: string, value: number | undefined): number {
    return this.#writers.get(`${key} ${value}`)?.id ?? -1;
  }
}

/** Who was answered before who was asked: from those only that no other stands between. */
function timeOrder(operations: readonly Operation[], before: Before): void {
  const asked = [...operations].sort((a, b) => a.askedAt - b.askedAt);
  const answered = [...operations].sort((a, b) => a.answeredAt - b.answeredAt);
  let frontier: Operation[] = [];
  let next = 0;
  for (const operation of asked) {
    for (
      let done = answered[next];
      done !== undefined && done.answeredAt < operation.askedAt;
      done = answered[++next]
    ) {
      const { askedAt } = done;
      frontier = frontier.filter((one) => one.answeredAt >= askedAt);
      frontier.push(done);
    }
    for (const earlier of frontier) before(earlier.id, operation.id, "was answered before");
  }
}

/** Promise 3: a read follows what was sent before it on its connection, answered or not. */
function sessionOrder(operations: readonly Operation[], before: Before): void {
  const sessions = new Map<number, Operation[]>();
  for (const operation of operations) {
    if (operation.form !== "plain") continue;
    const all = sessions.get(operation.session);
    if (all === undefined) sessions.set(operation.session, [operation]);
    else all.push(operation);
  }
  for (const all of sessions.values()) {
    let written: Operation[] = [];
    for (const operation of all.sort((a, b) => a.place - b.place)) {
      if (isWrite(operation)) written.push(operation);
      else {
        for (const write of written) before(write.id, operation.id, "was sent on the connection before");
        // Those behind it follow it in time, or are near enough: the last few say all that matters.
        written = written.slice(-32);
      }
    }
  }
}

function isWrite({ micros }: Operation): boolean {
  return micros.some(({ kind }) => kind === "append");
}

/** Depth first, without recursion; a circle as it is found, with why each comes before the next. */
function circleIn(edges: ReadonlyMap<number, readonly Edge[]>): string | undefined {
  const done = new Set<number>();
  for (const start of edges.keys()) {
    if (done.has(start)) continue;
    const path: { readonly id: number; next: number; why: string }[] = [{ id: start, next: 0, why: "" }];
    const onPath = new Set([start]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const edge = edges.get(top.id)?.[top.next++];
      if (edge === undefined) {
        done.add(top.id);
        onPath.delete(top.id);
        path.pop();
      } else if (onPath.has(edge.to)) {
        const from = path.findIndex(({ id }) => id === edge.to);
        const told = path.slice(from).map(({ id, why }, at) => (at === 0 ? `${id}` : `${why} ${id}`));
        return `${told.join(" ")} ${edge.why} ${edge.to}`;
      } else if (!done.has(edge.to)) {
        onPath.add(edge.to);
        path.push({ id: edge.to, next: 0, why: edge.why });
      }
    }
  }
  return undefined;
}
