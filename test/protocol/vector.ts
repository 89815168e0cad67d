/**
 * How a golden frame is made. Values of SQL are given as better-sqlite3 has them, a bigint for INTEGER and a number for
 * REAL, and become what each encoding has for them. Requests get rising ids in the order in which they are made.
 */
import {
  type BoundValue,
  type Encoding,
  encodeBody,
  errorOf,
  sessionIdOf,
  wireOfBound,
} from "../../src/protocol/index.js";
import { type Outcome, type RefusalCode, refuse } from "../../src/terms/index.js";
import { refusalExamples } from "./refusal-examples.js";
import { spelled } from "./values.js";

export type Direction = "to broker" | "to client";

export interface Vector {
  /** <method>.<case>, the name of the file. */
  readonly name: string;
  readonly description: string;
  readonly direction: Direction;
  readonly frame: { readonly [Name in Encoding]: Buffer };
  /** The decoded frame, with the values of SQL as JSON writes them. */
  readonly means: unknown;
  /** The values of SQL in it, in order, with their types. */
  readonly values?: readonly string[];
}

/** Stands for a value of SQL inside a message. */
export class Cell {
  readonly value: BoundValue;

  constructor(value: BoundValue) {
    this.value = value;
  }
}

export function cells(...values: BoundValue[]): Cell[] {
  return values.map((value) => new Cell(value));
}

function inEncoding(message: unknown, encoding: Encoding, found: string[] = []): unknown {
  if (message instanceof Cell) {
    found.push(spelled(message.value));
    return wireOfBound(message.value, encoding);
  }
  if (Array.isArray(message)) return message.map((element) => inEncoding(element, encoding, found));
  if (typeof message !== "object" || message === null) return message;
  return Object.fromEntries(Object.entries(message).map(([name, inner]) => [name, inEncoding(inner, encoding, found)]));
}

function vector(
  name: string,
  direction: Direction,
  description: string,
  parts: { message: object; kind: string },
): Vector {
  const values: string[] = [];
  const json = inEncoding(parts.message, "json", values) as { readonly [field: string]: unknown };
  const { jsonrpc: _, error, ...rest } = json;
  const refused = error as ReturnType<typeof errorOf> | undefined;
  return {
    name,
    description,
    direction,
    frame: { json: encodeBody(json, "json"), msgpack: encodeBody(inEncoding(parts.message, "msgpack"), "msgpack") },
    means: {
      kind: parts.kind,
      ...rest,
      ...(refused === undefined ? {} : { code: refused.data.code, message: refused.message, data: refused.data }),
    },
    ...(values.length === 0 ? {} : { values }),
  };
}

let lastId = 0;

/** `name` is <method>.<case>; the method is said in the frame. */
export function request(name: string, description: string, params: object): Vector {
  const message = { jsonrpc: "2.0", id: ++lastId, method: methodOf(name), params };
  return vector(name, "to broker", description, { message, kind: "request" });
}

/** The answer to the request before it. */
export function result(name: string, description: string, body: object): Vector {
  return vector(name, "to client", description, {
    message: { jsonrpc: "2.0", id: lastId, result: body },
    kind: "result",
  });
}

export function notification(name: string, direction: Direction, description: string, params: object): Vector {
  const message = { jsonrpc: "2.0", method: methodOf(name), params };
  return vector(name, direction, description, { message, kind: "notification" });
}

function methodOf(name: string): string {
  return name.split(".").slice(0, 2).join(".");
}

export function refusal(
  method: string,
  code: RefusalCode,
  again?: { when: string; message: string; outcome?: Outcome; details?: object },
): Vector {
  const { message, details, when, withoutId } = refusalExamples[code];
  const refused = refuse(code, again?.message ?? message, { ...(again === undefined ? details : again.details) });
  const error = errorOf(again?.outcome === undefined ? refused : { ...refused, outcome: again.outcome });
  const name = `${method}.refused-${code.toLowerCase().replaceAll("_", "-")}`;
  const id = withoutId === true ? null : 17;
  return vector(name, "to client", again?.when ?? when, { message: { jsonrpc: "2.0", id, error }, kind: "refused" });
}

/** The session that all frames speak of. */
export const secret = "q83vEjRWeJq83vASNFZ4mrze8BI0VniavN7wEjRWeJo";
export const session = sessionIdOf(secret) as string;
