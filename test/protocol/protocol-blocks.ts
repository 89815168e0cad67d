/**
 * The parts of proto/PROTOCOL.md that follow from the source: the methods' fields, refusals and example exchanges, the
 * tables of codes, limits and closings. Each stands between two comments in the text, which is otherwise written by hand.
 */
import {
  closings,
  errorNumber,
  type JsonSchema,
  methodNames,
  methodRow,
  type NotificationRow,
  notificationsToBroker,
  notificationsToClient,
  refusalsOfAll,
} from "../../src/protocol/index.js";
import { limitNames, limitTable, refusalCodes, refusals } from "../../src/terms/index.js";
import { vectors } from "./vector-list.js";

/** What is shown of a method: the names of golden frames, in order. */
const examples: { readonly [name: string]: readonly string[] } = {
  "session.hello": ["new", "result", "resume", "result-resumed"],
  "db.execute": ["insert", "result", "named", "result-returning", "refused-fenced"],
  "db.query": ["request", "result"],
  "db.batch": ["request", "result", "conditions", "result-conditions"],
  "tx.begin": ["request", "result", "fenced"],
  "tx.execute": ["insert", "result", "savepoint"],
  "tx.commit": ["request", "result", "refused-tx-lost"],
  "lock.acquire": ["wait", "result", "several", "result-several", "try", "refused-lock-held", "refused-deadlock"],
  "lock.cancel": ["request", "result"],
  "lock.list": ["prefix", "result"],
  "lock.watch": ["prefix", "result", "after", "result-resumed"],
  "db.script": ["create", "result"],
  "session.ack": ["all-below"],
  "session.cancel": ["number"],
  "session.taken": ["by-another"],
  "session.closing": ["stop"],
  "session.expired": ["window"],
  "lock.lost": ["lease"],
  "lock.queued": ["second"],
  "lock.contended": ["one"],
  "lock.revoking": ["grace"],
  "lock.events": ["two"],
};

/** The blocks by their names, in the order in which they would be read. */
export function blocks(): Map<string, string> {
  return new Map([
    ...methodNames.map((name): [string, string] => [name, methodBlock(name)]),
    ...Object.entries(notificationsToBroker).map(([name, row]): [string, string] => [name, noticeBlock(name, row)]),
    ...Object.entries(notificationsToClient).map(([name, row]): [string, string] => [name, noticeBlock(name, row)]),
    ["refusals of all", `${codeList(refusalsOfAll)}.`],
    ["refusals", refusalTable()],
    ["limits", limitsTable()],
    ["closings", closingTable()],
  ]);
}

function methodBlock(name: (typeof methodNames)[number]): string {
  const row = methodRow(name);
  const keyed = { always: "required", "when-writing": "for writes", never: "none" }[row.keyed];
  return [
    row.summary,
    `Request key: ${keyed}.${row.beforeHello ? " Served before hello." : ""}`,
    fieldTable("parameter", row.params) ?? "No parameters.",
    fieldTable("result", row.result) ?? "The result is an empty object.",
    ...(row.refusals.length === 0 ? [] : [`Refusals: ${codeList(row.refusals)}.`]),
    exchange(name),
  ].join("\n\n");
}

function noticeBlock(name: string, { summary, params }: NotificationRow): string {
  return [summary, fieldTable("parameter", params) ?? "No parameters.", exchange(name)].join("\n\n");
}

function codeList(codes: readonly string[]): string {
  return codes.map((code) => `\`${code}\``).join(" · ");
}

function exchange(method: string): string {
  const shown = (examples[method] ?? ["request", "result"]).map((name) => {
    const vector = vectors.find((one) => one.name === `${method}.${name}`);
    if (vector === undefined) throw new Error(`there is no golden frame ${method}.${name}`);
    return `${vector.direction === "to broker" ? "→" : "←"} ${vector.frame.json.toString("utf8")}`;
  });
  return `\`\`\`\n${shown.join("\n")}\n\`\`\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function fieldTable(kind: string, schema: JsonSchema): string | undefined {
  const rows = fieldRows("", schema);
  return rows.length === 0 ? undefined : table([kind, "type", "meaning"], rows);
}

/** A field that is an object is shown by its fields: `broker.pid`, `grants[].name`. */
function fieldRows(prefix: string, schema: JsonSchema): string[][] {
  if (Array.isArray(schema["anyOf"]))
    return (schema["anyOf"] as JsonSchema[]).flatMap((inner) => fieldRows(prefix, inner));
  const required = (schema["required"] as string[] | undefined) ?? [];
  const fields = Object.entries((schema["properties"] as Record<string, JsonSchema> | undefined) ?? {});
  return fields.flatMap(([field, inner]) => {
    const optional = required.includes(field) ? "" : ", optional";
    const path = prefix + field;
    const own = [`\`${path}\``, typeOf(inner) + optional, String(inner["description"] ?? "")];
    return [own, ...fieldRows(`${path}.`, inner), ...fieldRows(`${path}[].`, (inner["items"] as JsonSchema) ?? {})];
  });
}

function typeOf(schema: JsonSchema): string {
  if (schema["$ref"] === "#/components/schemas/SqlValue") return "value";
  if (schema["$ref"] === "#/components/schemas/Condition") return "condition";
  if (schema["$ref"] !== undefined) return "integer of 64 bits";
  if ("const" in schema) return `\`${JSON.stringify(schema["const"])}\``;
  if (Array.isArray(schema["anyOf"])) return [...new Set((schema["anyOf"] as JsonSchema[]).map(typeOf))].join(" or ");
  if (schema["additionalProperties"] !== undefined)
    return `object of ${typeOf(schema["additionalProperties"] as JsonSchema)}`;
  if (schema["type"] === "array") return `array of ${typeOf(schema["items"] as JsonSchema)}`;
  if (schema["type"] === "null") return "null";
  return String(schema["type"] ?? "anything");
}

function refusalTable(): string {
  const rows = refusalCodes.map((code) => {
    const { meaning, retryable, outcome, remedy } = refusals[code];
    return [`\`${code}\``, String(errorNumber(code)), retryable ? "yes" : "no", outcome, meaning, remedy];
  });
  return table(["code", "integer", "retry", "outcome", "meaning", "what to do"], rows);
}

function limitsTable(): string {
  const rows = limitNames.map((name) => {
    const { standard, code, why } = limitTable[name];
    return [`\`${name}\``, String(standard), code === null ? "" : `\`${code}\``, why];
  });
  return table(["limit", "standard", "refusal", "why"], rows);
}

function closingTable(): string {
  return table(
    ["close code", "meaning"],
    Object.values(closings).map(({ code, meaning }) => [String(code), meaning]),
  );
}
