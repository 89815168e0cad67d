/**
 * The golden frames in proto/vectors/, replayed through this room both ways. They are for writers of other clients, who
 * replay them through theirs; so they cover every method, every notification and every code.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOf } from "../../src/protocol/check.js";
import {
  boundValue,
  checkNotice,
  checkParams,
  decodeFrame,
  type Encoding,
  encodeBody,
  encodeNotification,
  encodeRefusal,
  encodeRequest,
  encodeResult,
  type Frame,
  isMethod,
  methodNames,
  methods,
  notificationsToBroker,
  notificationsToClient,
  refusalsOfAll,
  type ToBroker,
  transcode,
} from "../../src/protocol/index.js";
import { refusalCodes, refusals } from "../../src/terms/index.js";
import { assertGolden, assertOnly } from "./golden.js";
import { localCodes, refusalExamples } from "./refusal-examples.js";
import { spelled } from "./values.js";
import type { Vector } from "./vector.js";
import { brokenVectors, vectors } from "./vector-list.js";

const encodings: Encoding[] = ["json", "msgpack"];
const folder = "proto/vectors";

/** What stands in the file. */
function fileOf(name: string, fields: object): [path: string, text: string] {
  return [`${folder}/${name}.json`, `${JSON.stringify(fields, undefined, 2)}\n`];
}

test("the files are what follows from the list", () => {
  for (const { name, description, direction, frame, means, values } of vectors) {
    const { json, msgpack } = frame;
    const frames = { json: json.toString("utf8"), msgpack: msgpack.toString("hex") };
    assertGolden(
      ...fileOf(name, { description, direction, ...frames, means, ...(values === undefined ? {} : { values }) }),
    );
  }
  for (const { name, description, frame, code, id } of brokenVectors) {
    const { json, msgpack } = frame;
    const frames = { json: json?.toString("utf8"), msgpack: msgpack?.toString("hex") };
    assertGolden(
      ...fileOf(name, { description, direction: "to broker", ...frames, means: { kind: "frame-error", id, code } }),
    );
  }
  const names = [...vectors, ...brokenVectors].map(({ name }) => `${name}.json`);
  assert.equal(new Set(names).size, names.length);
  assertOnly(folder, names);
});

/** As JSON writes it, whatever the encoding was. */
function inJson(value: unknown): unknown {
  return JSON.parse(transcode(encodeBody(value, "msgpack"), "msgpack", "json").toString("utf8"));
}

function meaningOf(frame: Frame): unknown {
  if (frame.kind !== "refused" && frame.kind !== "frame-error") return inJson(frame);
  const { refused, message, details, outcome } = frame.refusal;
  const row = refusals[refused];
  const data = { code: refused, retryable: row.retryable, outcome: outcome ?? row.outcome, details: details ?? {} };
  return inJson({ kind: frame.kind, id: frame.id, code: refused, message, data });
}

/** The message again, from what was decoded. */
function encoded(frame: Frame, encoding: Encoding): Buffer {
  switch (frame.kind) {
    case "request":
      return encodeRequest(frame.id, frame.method, frame.params, encoding);
    case "notification":
      return encodeNotification(frame.method, frame.params, encoding);
    case "result":
      return encodeResult(frame.id, encodeBody(frame.result, encoding), encoding);
    case "refused":
      return encodeRefusal(frame.id, frame.refusal, encoding);
    case "frame-error":
      throw new Error("a golden frame cannot be decoded");
  }
}

for (const encoding of encodings) {
  test(`every golden frame means what it says (${encoding})`, () => {
    for (const { name, direction, frame, means } of vectors) {
      const decoded = decodeFrame(frame[encoding], encoding, direction === "to client" ? "broker" : "client");
      assert.deepEqual(meaningOf(decoded), means, name);
    }
  });

  test(`what every golden frame means is encoded to the same bytes (${encoding})`, () => {
    for (const { name, frame } of vectors) {
      const again = encoded(decodeFrame(frame[encoding], encoding, "broker"), encoding);
      assert.equal(again.toString("latin1"), frame[encoding].toString("latin1"), name);
    }
  });

  test(`every value of SQL in the golden frames has the type that is said of it (${encoding})`, () => {
    for (const { name, frame, values } of vectors) {
      if (values === undefined) continue;
      const decoded = decodeFrame(frame[encoding], encoding, "broker") as { params?: unknown; result?: unknown };
      assert.deepEqual(cellsOf(decoded.params ?? decoded.result).map(spelled), withoutRowids(name, values), name);
    }
  });

  test(`every broken frame is refused as it says (${encoding})`, () => {
    for (const { name, frame, code, id } of brokenVectors) {
      const bytes = frame[encoding];
      if (bytes === undefined) continue;
      const decoded = decodeFrame(bytes, encoding);
      assert.ok(decoded.kind === "frame-error", name);
      assert.deepEqual([decoded.refusal.refused, decoded.id], [code, id], name);
    }
  });
}

/** The bound values of a request's statements, or of a result's rows, in order. */
function cellsOf(message: unknown): unknown[] {
  if (message === null) return [];
  const { args, named, rows, statements, results } = message as { readonly [field: string]: unknown };
  const inner = (statements ?? results ?? []) as unknown[];
  const own = [...((args ?? []) as unknown[]), ...Object.values(named ?? {}), ...((rows ?? []) as unknown[][]).flat()];
  return [...own.map((cell) => boundValue(cell, Number.MAX_SAFE_INTEGER)), ...inner.flatMap(cellsOf)];
}

/** A large rowid is a value of SQL too, but stands outside the rows. */
function withoutRowids(name: string, values: readonly string[]): readonly string[] {
  return name === "db.execute.result-large-rowid" ? [] : values;
}

function isAnswerTo(method: string, kind: string): (vector: Vector) => boolean {
  return ({ name, means }) => name.startsWith(`${method}.`) && (means as { kind: string }).kind === kind;
}

test("every method is asked, answered and refused once at least", () => {
  for (const method of methodNames) {
    assert.ok(vectors.some(isAnswerTo(method, "request")), `${method} is not asked`);
    assert.ok(vectors.some(isAnswerTo(method, "result")), `${method} is not answered`);
    assert.ok(vectors.some(isAnswerTo(method, "refused")), `${method} is not refused`);
  }
  for (const name of [...Object.keys(notificationsToBroker), ...Object.keys(notificationsToClient)])
    assert.ok(vectors.some(isAnswerTo(name, "notification")), `${name} is not sent`);
});

test("every code has a golden frame, at a method that can meet it", () => {
  const everywhere: readonly string[] = [...refusalsOfAll, ...localCodes];
  for (const code of refusalCodes) {
    const { method } = refusalExamples[code];
    const own: readonly string[] = methods[method].refusals;
    const elsewhere = ["HELLO_TIMEOUT", "SLOW_CONSUMER"];
    assert.ok([...everywhere, ...own, ...elsewhere].includes(code), `${method} does not name ${code}`);
    assert.ok(
      vectors.some(({ means }) => (means as { code?: string }).code === code),
      code,
    );
  }
});

test("every golden request and answer fits its schema", () => {
  for (const { name, direction, frame } of vectors) {
    const decoded = decodeFrame(frame.json, "json", "broker");
    const method = name.split(".").slice(0, 2).join(".");
    if (decoded.kind === "request" && isMethod(method))
      assert.equal(checkParams(method, decoded.params), undefined, name);
    if (decoded.kind === "result" && isMethod(method))
      assert.equal(checkOf(methods[method].result)(decoded.result), undefined, name);
    if (decoded.kind === "notification")
      assert.equal(checkNotice(method as ToBroker, decoded.params), undefined, `${name} ${direction}`);
  }
});
