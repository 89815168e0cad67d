/**
 * The golden frames of proto/vectors/, byte for byte as they stand there, said to a living broker in both encodings:
 * what is a request gets an answer of the promised kind, and where the files promise a certain answer, that one. They
 * are told as one conversation, because a lock must be held before it can be released.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import WebSocket from "ws";
import { checkOf } from "../../src/protocol/check.js";
import {
  decodeFrame,
  type Encoding,
  encodeRequest,
  errorNumber,
  type Frame,
  isMethod,
  methods,
  subprotocols,
} from "../../src/protocol/index.js";
import { isRefusalCode } from "../../src/terms/index.js";
import { type Front, Home, type Life } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { within } from "../support/patience.js";

const folder = fileURLToPath(new URL("../../../proto/vectors/", import.meta.url));

interface Vector {
  readonly name: string;
  readonly direction: "to broker" | "to client";
  readonly json?: string;
  /** In hex. */
  readonly msgpack?: string;
  readonly means: {
    readonly kind: string;
    readonly id?: string | number | null;
    readonly method?: string;
    readonly params?: { readonly [field: string]: unknown };
    readonly code?: string;
  };
}

const vectors = readdirSync(folder).map((file): Vector => {
  return {
    ...(JSON.parse(readFileSync(join(folder, file), "utf8")) as Omit<Vector, "name">),
    name: file.replace(/\.json$/, ""),
  };
});
const byName = new Map(vectors.map((vector) => [vector.name, vector]));

/** Requests in an order that makes sense, each with what it is answered: a vector's result, a code, or any result. */
const story: readonly (readonly [request: string, answer: string])[] = [
  ["session.hello.new", "any"],
  ["session.ping.request", "any"],
  ["db.script.create", "db.script.result"],
  ["db.script.not-atomic", "any"],
  ["db.execute.insert", "db.execute.result"],
  ["db.execute.every-type", "db.execute.result-every-type"],
  ["db.execute.named", "db.execute.result-returning"],
  ["lock.acquire.wait", "any"],
  // The token in the vector is another broker's.
  ["db.execute.fenced", "FENCED"],
  ["db.execute.released", "FENCED"],
  ["db.execute.without-key", "any"],
  ["db.execute.own-key", "any"],
  ["db.query.request", "any"],
  ["db.describe.request", "db.describe.result"],
  ["db.stream.request", "db.stream.result"],
  ["watch.open.request", "any"],
  ["watch.close.request", "watch.close.result"],
  ["watch.open.resumed", "any"],
  ["db.batch.request", "FENCED"],
  ["db.batch.conditions", "db.batch.result-conditions"],
  ["tx.begin.request", "tx.begin.result"],
  ["tx.execute.insert", "any"],
  ["tx.execute.query", "any"],
  ["tx.execute.savepoint", "any"],
  ["tx.batch.request", "any"],
  ["tx.commit.request", "any"],
  ["tx.begin.fenced", "FENCED"],
  // It was not begun.
  ["tx.commit.released", "TX_LOST"],
  ["tx.rollback.request", "tx.rollback.result"],
  ["tx.begin.read", "any"],
  ["tx.stream.request", "tx.stream.result"],
  ["tx.begin.deferred", "any"],
  ["lock.acquire.try", "any"],
  // It waits behind itself, until it is withdrawn.
  ["lock.acquire.timed", "CANCELLED"],
  ["lock.cancel.request", "lock.cancel.result"],
  ["lock.acquire.semaphore", "any"],
  ["lock.resize.request", "lock.resize.result"],
  ["lock.list.one", "any"],
  ["lock.list.prefix", "any"],
  ["lock.list.session", "any"],
  ["lock.list.after", "any"],
  ["lock.history.request", "any"],
  ["lock.watch.prefix", "any"],
  // Events of another life of the broker: it begins anew.
  ["lock.watch.after", "any"],
  ["lock.unwatch.request", "lock.unwatch.result"],
  ["lock.upgrade.request", "LOCK_NOT_HELD"],
  ["lock.downgrade.request", "LOCK_NOT_HELD"],
  ["lock.transfer.request", "LOCK_NOT_HELD"],
  ["lock.release.request", "LOCK_NOT_HELD"],
  ["admin.status.request", "any"],
];

/** What is not answered. */
const notices = [
  "session.ack.all-below",
  "session.cancel.number",
  "session.cancel.string",
  "db.credit.some",
  "db.close.one",
];

/** The same requests under the token that this broker has given. */
const underToken: readonly (readonly [request: string, answer: string])[] = [
  ["db.execute.fenced", "any"],
  ["db.batch.request", "any"],
  ["lock.transfer.request", "NOT_WAITING"],
  ["lock.downgrade.request", "any"],
  ["lock.upgrade.request", "any"],
  ["lock.release.request", "lock.release.result"],
];

/** When the lock is free again. */
const afterwards: readonly (readonly [request: string, answer: string])[] = [
  ["lock.break.request", "any"],
  ["lock.acquire.shared", "any"],
  ["lock.acquire.several", "any"],
  ["lock.acquire.steal", "any"],
];

/** A connection that says bytes and hears frames. */
class Line {
  readonly #socket: WebSocket;
  readonly #heard: Frame[] = [];
  readonly #encoding: Encoding;
  #wake: () => void = () => undefined;

  static async open(home: Home, encoding: Encoding): Promise<Line> {
    const line = new Line(home, encoding);
    await within(
      "a connection",
      new Promise((resolve, reject) => line.#socket.once("open", resolve).once("error", reject)),
    );
    return line;
  }

  private constructor(home: Home, encoding: Encoding) {
    this.#encoding = encoding;
    this.#socket = new WebSocket(`ws+unix:${home.socket}:/`, subprotocols[encoding]);
    home.beforeLeaving(async () => this.#socket.terminate());
    this.#socket.on("message", (data) => {
      this.#heard.push(decodeFrame(data as Buffer, encoding, "broker"));
      this.#wake();
    });
    this.#socket.on("close", () => this.#wake());
  }

  say({ json, msgpack }: Vector): void {
    if (this.#encoding === "json") this.#socket.send(String(json));
    else this.#socket.send(Buffer.from(String(msgpack), "hex"));
  }

  /** The same request under another token, and so under another key. */
  sayAgain({ means: { id, method = "", params = {} } }: Vector, token: number): void {
    const fence = params["fence"] === undefined ? {} : { fence: [{ name: "index/rebuild", token }] };
    const released = params["token"] === undefined ? {} : { token };
    const again = { ...params, ...fence, ...released, key: Number(params["key"]) + 100 };
    this.#socket.send(encodeRequest(id ?? undefined, method, again, this.#encoding), {
      binary: this.#encoding === "msgpack",
    });
  }

  /** The answer under this id, taken out of what was heard. */
  async answer(id: string | number | null | undefined): Promise<Frame> {
    for (;;) {
      const at = this.#heard.findIndex(
        (frame) => frame.kind !== "notification" && "id" in frame && frame.id === (id ?? null),
      );
      if (at >= 0) return this.#heard.splice(at, 1)[0]!;
      assert.ok(this.#socket.readyState === WebSocket.OPEN, `the connection ended before the answer under ${id}`);
      await within(
        `the answer under ${id}`,
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
      );
    }
  }
}

function vector(name: string): Vector {
  const found = byName.get(name);
  assert.ok(found !== undefined, `there is no vector ${name}`);
  return found;
}

function assertAnswer(frame: Frame, request: Vector, expected: string, encoding: Encoding): void {
  const where = `${request.name} in ${encoding}: ${inspect(frame, { depth: 6 })}`;
  if (frame.kind === "refused") return assert.equal(frame.refusal.refused, expected, where);
  assert.equal(frame.kind, "result", where);
  const { method = "" } = request.means;
  if (frame.kind !== "result" || !isMethod(method)) return;
  assert.equal(checkOf(methods[method].result)(frame.result), undefined, where);
  if (expected === "any") return;
  const promised = vector(expected);
  const text = encoding === "json" ? Buffer.from(String(promised.json)) : Buffer.from(String(promised.msgpack), "hex");
  const means = decodeFrame(text, encoding, "broker");
  assert.ok(means.kind === "result");
  // The names of columns that have none in the SQL are SQLite's own affair.
  const namedByUs = expected !== "db.execute.result-every-type";
  assert.deepEqual(withColumns(frame.result, namedByUs), withColumns(means.result, namedByUs), where);
}

function withColumns(result: unknown, compared: boolean): unknown {
  return compared ? result : { ...(result as object), columns: [] };
}

async function begin(life: Life): Promise<{ readonly home: Home; readonly front: Front }> {
  const home = new Home(life);
  return { home, front: await home.start() };
}

for (const encoding of ["json", "msgpack"] as const) {
  test(`the requests of the vectors, told in ${encoding} as one conversation, are answered as promised`, async (t) => {
    const { home, front } = await begin(t);
    const line = await Line.open(home, encoding);
    const later: (readonly [Vector, string])[] = [];
    let token = 0;
    for (const [name, expected] of story) {
      const request = vector(name);
      line.say(request);
      if (name === "lock.acquire.timed") later.push([request, expected]);
      else {
        const frame = await line.answer(request.means.id);
        assertAnswer(frame, request, expected, encoding);
        if (name === "lock.acquire.wait" && frame.kind === "result") token = (frame.result as { token: number }).token;
      }
    }
    for (const [request, expected] of later)
      assertAnswer(await line.answer(request.means.id), request, expected, encoding);
    for (const [name, expected] of underToken) {
      line.sayAgain(vector(name), token);
      const frame = await line.answer(vector(name).means.id);
      assertAnswer(frame, vector(name), expected, encoding);
      // An upgrade gives another.
      if (name === "lock.upgrade.request" && frame.kind === "result") token = (frame.result as { token: number }).token;
    }
    for (const [name, expected] of afterwards) await told(line, name, expected);
    // What is not answered breaks nothing.
    for (const name of notices) line.say(vector(name));
    // Another connection takes the session up, and says goodbye; then what became of its keys is told.
    const nested = await Line.open(home, encoding);
    // The outer session is not known here, which is no mistake.
    await told(nested, "session.hello.outer", "any");
    await told(await Line.open(home, encoding), "session.hello.read-only", "any");
    const second = await Line.open(home, encoding);
    await told(second, "session.hello.resume", "any");
    await told(second, "session.goodbye.request", "session.goodbye.result");
    await told(second, "session.settle.request", "any");
    const third = await Line.open(home, encoding);
    // No such process is there.
    await told(third, "session.hello.bound", "PARAMS_INVALID");
    await told(third, "session.hello.least", "any");
    await told(third, "admin.stop.request", "admin.stop.result");
    assert.equal((await within("the end of the broker", front.exited)).code, 0);

    async function told(on: Line, name: string, expected: string): Promise<void> {
      const request = vector(name);
      on.say(request);
      assertAnswer(await on.answer(request.means.id), request, expected, encoding);
    }
  });

  test(`the frames that are none, said in ${encoding}, are refused with the promised code`, async (t) => {
    const { home } = await begin(t);
    const canary = await Canary.start(home);
    for (const one of vectors) {
      if (one.direction !== "to broker" || one.means.kind !== "frame-error" || one[encoding] === undefined) continue;
      const line = await Line.open(home, encoding);
      line.say(one);
      const frame = await line.answer(one.means.id);
      assert.equal(frame.kind === "refused" && frame.refusal.refused, one.means.code, one.name);
    }
    await canary.goesOn();
  });
}

test("every request among the vectors is part of the conversation", () => {
  const said = new Set([
    ...[...story, ...underToken, ...afterwards].map(([name]) => name),
    ...[
      "session.hello.outer",
      "session.hello.read-only",
      "session.hello.resume",
      "session.goodbye.request",
      "session.settle.request",
      "session.hello.bound",
      "session.hello.least",
      "admin.stop.request",
    ],
    ...notices,
  ]);
  const requests = vectors.filter(({ direction, means }) => direction === "to broker" && means.kind !== "frame-error");
  assert.deepEqual(
    requests.map(({ name }) => name).filter((name) => !said.has(name)),
    [],
  );
});

test("what the broker refuses is written as the vectors of refusals are", async (t) => {
  const { home } = await begin(t);
  const wire = await home.wire();
  const refusals = [
    await wire.refusal("db.execute", { sql: "attach 'x' as y" }),
    await wire.refusal("db.query", { sql: "delete from x" }),
    await wire.refusal("db.query", {}),
    await wire.refusal("no.method", {}),
    await wire.refusal("lock.release", { name: "a", token: 1, key: 1 }),
  ];
  for (const { code, message, data } of refusals) {
    assert.ok(isRefusalCode(data.code));
    const sample = [...byName.values()].find(({ means }) => means.kind === "refused" && means.code === data.code);
    assert.ok(sample !== undefined, `no vector shows ${data.code}`);
    const shown = JSON.parse(String(sample.json)) as { error: { code: number; data: object } };
    assert.equal(code, shown.error.code);
    assert.equal(code, errorNumber(data.code));
    assert.deepEqual(Object.keys(data).sort(), Object.keys(shown.error.data).sort());
    assert.ok(message.length > 0 && !message.endsWith("."), message);
  }
});
