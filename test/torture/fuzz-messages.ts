/**
 * Messages that nobody should send: made by the schemas of the methods and nearly fitting them, then spelled in either
 * encoding, then cut, flipped and spliced; and SQL that is nearly SQL. The same for the same seed.
 */
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import {
  type Encoding,
  type JsonSchema,
  methodNames,
  methods,
  notificationsToBroker,
} from "../../src/protocol/index.js";
import type { Random } from "../simulation/random.js";
import { sqlLike } from "../store/gate/sql-like.js";

/** Asked for rightly these end what is tested. */
const spared = new Set<string>(["admin.stop"]);

const asked: readonly (readonly [name: string, params: JsonSchema])[] = [
  ...methodNames.filter((name) => !spared.has(name)).map((name) => [name, methods[name].params as JsonSchema] as const),
  ...Object.entries(notificationsToBroker).map(([name, { params }]) => [name, params] as const),
];

const strange: readonly unknown[] = [
  ...[null, true, "", "x", 0, -1, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e300, 5e-324, [], {}, [1], { a: 1 }],
  ...["\ud800", "\0", "__proto__", "constructor", "x".repeat(600), "A".repeat(43), { $int: "9223372036854775808" }],
  ...[{ $blob: "a*b" }, { $real: "NaN" }, { $int: 1 }, JSON.parse(`${"[".repeat(18)}${"]".repeat(18)}`)],
];

const texts = ["name", "A".repeat(43), "0".repeat(32), "", "x".repeat(65), "é😀", "t", "select 1", "new", "write"];
const numbers = [0, 1, 2, 3, 17, 1024, 2 ** 31, Number.MAX_SAFE_INTEGER];
const values = [null, 1, 1.5, "x", { $int: "1" }, { $blob: "AAEC" }, { $real: "Infinity" }];

const statements = [
  "select a, b from t where a = ? and b = :b order by a limit 3",
  "select count(*), sum(a) over (partition by b) from t group by b having a > 1",
  "with w (x) as (values (1), (2)) select * from w left join t on t.a = w.x",
  "select case a when 1 then 'one' else ?2 end as c from t union all select json_object('k', a) from u",
  "insert into t (a, b) values (?, ?) on conflict do nothing returning a",
  "insert or replace into u select a from t where b like '%x%' escape '\\'",
  "update t set a = a + 1, b = x'00ff' where a in (select a from u)",
  "delete from t where rowid between 1 and 5",
  "create table if not exists v (a integer primary key, b text not null default 'x', check (a > 0)) strict",
  "create index if not exists i on t (a desc, lower(b)) where b is not null",
  "create trigger if not exists g after update of a on t when new.a > 5 begin insert into u values (new.a); end",
  "create view if not exists s as select a from t",
  "alter table u add column c text",
  "drop table if exists v",
  "drop trigger if exists g",
  "explain query plan select * from t natural join u",
  "pragma table_info(t)",
  "analyze",
  "select cast(a as real), a collate nocase, a is not b, -a << 2, b -> '$.x' from t as \"t 2\"",
];

/** Each so manieth place of a message has something in it that is not meant for it. */
const strangeness = 0.04;

export class FuzzMessages {
  readonly #random: Random;
  #sql: string[] = [];
  #last: Buffer = Buffer.from("{}");

  constructor(random: Random) {
    this.#random = random;
  }

  /** Nearly SQL: pieces of it thrown together, or a statement that was right before something was done to it. */
  sql(): string {
    if (this.#random.chance(0.4)) return this.#nearly(this.#random.pick(statements));
    if (this.#sql.length === 0) this.#sql = fc.sample(sqlLike, { numRuns: 1000, seed: this.#random.below(2 ** 31) });
    return this.#sql.pop() ?? "";
  }

  #nearly(statement: string): string {
    const words = statement.split(" ");
    for (let n = this.#random.below(3); n > 0; n--) {
      const at = this.#random.below(words.length);
      const other = this.#random.pick(this.#random.pick(statements).split(" "));
      words.splice(at, this.#random.below(3), ...(this.#random.chance(0.6) ? [other] : []));
    }
    return words.join(" ");
  }

  /** One message, in this encoding; four of ten are as they were meant. */
  message(encoding: Encoding): Buffer {
    const bytes = spelled(this.#request(), encoding, this.#random);
    const whole = this.#random.chance(0.4) ? bytes : this.mutated(bytes);
    this.#last = bytes;
    return whole;
  }

  /** Some bytes flipped, left out, doubled, put in, or the rest of another message. */
  mutated(bytes: Buffer, times = 1 + this.#random.below(3)): Buffer {
    if (times === 0 || bytes.length === 0) return bytes;
    const at = this.#random.below(bytes.length);
    const length = 1 + this.#random.below(8);
    switch (this.#random.below(6)) {
      case 0: {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << this.#random.below(8));
        return this.mutated(flipped, times - 1);
      }
      case 1:
        return bytes.subarray(0, at);
      case 2:
        return this.mutated(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]), times - 1);
      case 3:
        return this.mutated(Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]), times - 1);
      case 4:
        return this.mutated(Buffer.concat([bytes.subarray(0, at), this.noise(length), bytes.subarray(at)]), times - 1);
      default:
        return Buffer.concat([bytes.subarray(0, at), this.#last.subarray(this.#random.below(this.#last.length + 1))]);
    }
  }

  noise(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#random.below(256)));
  }

  #request(): unknown {
    const [method, schema] = this.#random.pick(asked);
    const message: { [field: string]: unknown } = { jsonrpc: "2.0", id: this.#id(), method };
    message["params"] = this.#valueOf(schema, 0);
    if (this.#random.chance(strangeness))
      message[this.#random.pick(["jsonrpc", "id", "method", "params", "result"])] = this.#strange();
    return this.#random.chance(0.01) ? [message] : message;
  }

  #id(): unknown {
    const chance = this.#random.next();
    if (chance < 0.9) return 1 + this.#random.below(1000);
    return chance < 0.95 ? `id ${this.#random.below(1000)}` : undefined;
  }

  #strange(): unknown {
    return this.#random.pick(strange);
  }

  #valueOf(schema: JsonSchema, depth: number): unknown {
    if (this.#random.chance(strangeness)) return this.#strange();
    const choices = schema["anyOf"] as readonly JsonSchema[] | undefined;
    if (choices !== undefined) return this.#valueOf(this.#random.pick(choices), depth + 1);
    if ("const" in schema) return schema["const"];
    switch (schema["type"]) {
      case "object":
        return this.#object(schema, depth);
      case "array": {
        const least = (schema["minItems"] as number | undefined) ?? 0;
        const length = least + (depth > 6 ? 0 : this.#random.below(3));
        return Array.from({ length }, () => this.#valueOf(schema["items"] as JsonSchema, depth + 1));
      }
      case "string":
        return this.#random.pick(texts);
      case "integer":
      case "number":
        return this.#random.pick(numbers);
      case "boolean":
        return this.#random.chance(0.5);
      default:
        return this.#random.pick(values);
    }
  }

  #object(schema: JsonSchema, depth: number): unknown {
    const free = schema["additionalProperties"] as JsonSchema | undefined;
    if (typeof free === "object")
      return Object.fromEntries(
        Array.from({ length: this.#random.below(3) }, (_, n) => [
          `${":@$a"[n] ?? ""}n${n}`,
          this.#valueOf(free, depth + 1),
        ]),
      );
    const required = new Set((schema["required"] as readonly string[] | undefined) ?? []);
    const value: { [field: string]: unknown } = {};
    for (const [name, inner] of Object.entries((schema["properties"] as { [name: string]: JsonSchema }) ?? {})) {
      if (!this.#random.chance(required.has(name) ? 1 - strangeness : 0.3)) continue;
      value[name] = name === "sql" ? this.sql() : this.#valueOf(inner, depth + 1);
    }
    return value;
  }
}

/** As a client might write it, and some ways in which none should. */
function spelled(value: unknown, encoding: Encoding, random: Random): Buffer {
  if (encoding === "msgpack") return Buffer.from(encode(value, { ignoreUndefined: true, maxDepth: 200 }));
  const text = JSON.stringify(value);
  switch (random.below(40)) {
    case 0:
      return Buffer.from(text.replace("{", '{"id":7,'));
    case 1:
      return Buffer.from(text.replace(/:(\d+)/, ":1e400"));
    case 2:
      return Buffer.from(text.replace("{", '{"__proto__":{"polluted":1},'));
    case 3:
      return Buffer.from(`\ufeff${text}`);
    case 4:
      return Buffer.from(text.replace(/:(\d+)/, `:${"[".repeat(random.below(300))}`));
    default:
      return Buffer.from(text);
  }
}
