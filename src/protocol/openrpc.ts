/**
 * The methods as an OpenRPC document (https://spec.open-rpc.org), for those who generate clients: proto/openrpc.json
 * is this, and a test says when it is not. Follows from the schemas and the table of refusals; nothing is said twice.
 */
import { type RefusalCode, refusals } from "../terms/index.js";
import { protocolVersions, subprotocols } from "./encoding.js";
import { type JsonSchema, type Method, type NotificationRow, refusalsOfAll } from "./method.js";
import { methodNames, methodRow, notificationsToBroker, notificationsToClient } from "./methods.js";
import { errorNumber } from "./refusal-wire.js";

const components: { readonly [name: string]: JsonSchema } = {
  SqlValue: {
    title: "A value of SQL",
    description:
      "A number without a fraction is INTEGER and one with a fraction is REAL. MessagePack has integers of 64 bits and bytes of its own and takes the marks as well.",
    anyOf: [
      { type: "null" },
      { type: "number", description: "INTEGER without a fraction (at most 2^53 - 1), REAL with one" },
      { type: "string", description: "TEXT: no surrogate without its partner" },
      { $ref: "#/components/schemas/IntMark" },
      mark(
        "$real",
        "REAL without a fraction, or -0, Infinity, -Infinity",
        "^(-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?|-?Infinity)$",
      ),
      mark("$blob", "BLOB in base64, the standard alphabet, padding optional", "^[A-Za-z0-9+/]*={0,2}$"),
    ],
  },
  SqlInteger: {
    title: "An INTEGER of 64 bits",
    anyOf: [{ type: "integer" }, { $ref: "#/components/schemas/IntMark" }],
  },
  Condition: {
    title: "When a statement of a batch runs",
    description:
      "By what became of the statements before it, which are named by their place from 0. One that was passed over is neither ok nor an error.",
    anyOf: [
      word("ok", { type: "integer", minimum: 0 }),
      word("error", { type: "integer", minimum: 0 }),
      word("not", { $ref: "#/components/schemas/Condition" }),
      word("and", { type: "array", items: { $ref: "#/components/schemas/Condition" } }),
      word("or", { type: "array", items: { $ref: "#/components/schemas/Condition" } }),
    ],
  },
  IntMark: mark("$int", "INTEGER, where JSON's numbers are not exact", "^-?[0-9]{1,19}$"),
};

function mark(word: string, description: string, pattern: string): JsonSchema {
  return {
    type: "object",
    properties: { [word]: { type: "string", pattern } },
    required: [word],
    additionalProperties: false,
    description,
  };
}

function word(name: string, schema: JsonSchema): JsonSchema {
  return { type: "object", properties: { [name]: schema }, required: [name], additionalProperties: false };
}

export function openrpcDocument(): JsonSchema {
  return {
    openrpc: "1.3.2",
    info: {
      title: "Holdfast",
      version: String(protocolVersions.max),
      description: `JSON-RPC 2.0 over WebSocket on a Unix socket, subprotocols ${subprotocols.json} and ${subprotocols.msgpack}. The conversation is told in PROTOCOL.md. The errors named components/errors with "x-any" can answer any request.`,
    },
    methods: [
      ...methodNames.map((name) => methodObject(name, methodRow(name))),
      ...Object.entries(notificationsToBroker).map(([name, row]) => notificationObject(name, row)),
    ],
    "x-notifications-to-client": Object.entries(notificationsToClient).map(([name, row]) =>
      notificationObject(name, row),
    ),
    components: {
      schemas: components,
      errors: Object.fromEntries((Object.keys(refusals) as RefusalCode[]).map((code) => [code, errorObject(code)])),
    },
  };
}

function methodObject(name: string, row: Method): JsonSchema {
  return {
    ...notificationObject(name, row),
    result: { name: "result", schema: row.result },
    errors: row.refusals.map((code) => ({ $ref: `#/components/errors/${code}` })),
    "x-request-key": row.keyed,
    "x-before-hello": row.beforeHello,
  };
}

/** OpenRPC's word for a method without a result. */
function notificationObject(name: string, { summary, params }: NotificationRow): JsonSchema {
  const required = (params["required"] as readonly string[] | undefined) ?? [];
  const fields = Object.entries(params["properties"] as { readonly [field: string]: JsonSchema });
  return {
    name,
    summary,
    paramStructure: "by-name",
    params: fields.map(([field, schema]) => ({ name: field, required: required.includes(field), schema })),
  };
}

function errorObject(code: RefusalCode): JsonSchema {
  const { meaning, retryable, outcome } = refusals[code];
  const everywhere: readonly string[] = refusalsOfAll;
  return {
    code: errorNumber(code),
    message: meaning,
    data: { code, retryable, outcome },
    ...(everywhere.includes(code) ? { "x-any": true } : {}),
  };
}
