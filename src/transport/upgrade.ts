/**
 * Whether a request for a WebSocket may have one, decided before a byte of it is read, from its head alone.
 *
 * Browsers are kept out by their own mark: they send Origin with every WebSocket and no script can take it away, so
 * any Origin is refused, readable or not. Nothing here is parsed that could throw.
 */
import type { IncomingHttpHeaders } from "node:http";
import { encodingOf, subprotocols } from "../protocol/index.js";
import { type RefusalCode, refusals } from "../terms/index.js";
import type { Purpose } from "./link.js";

/** The request header by which a client says that it comes to resume a session, or is the command line. */
export const purposeHeader = "holdfast-purpose";

export interface UpgradeHead {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** An HTTP answer instead of a WebSocket. */
export interface HttpRefusal {
  readonly status: number;
  readonly code: RefusalCode;
  readonly message: string;
}

export function httpRefusal(status: number, code: RefusalCode, message: string): HttpRefusal {
  return { status, code, message };
}

/** RFC 6455; the drafts before it had others. */
const webSocketVersion = "13";

/** For people as well: it is what a browser or `curl` shows of a broker. */
export const notWebSocket = httpRefusal(
  426,
  "INVALID_REQUEST",
  `this is a Holdfast broker: it speaks WebSocket, subprotocol ${Object.values(subprotocols).join(" or ")}; try: holdfast status`,
);

/** The purpose of an upgrade that may go on, or why it may not. */
export function judgeUpgrade({ method, url, headers }: UpgradeHead): { readonly purpose: Purpose } | HttpRefusal {
  if (headers.origin !== undefined || headers["sec-websocket-origin"] !== undefined)
    return httpRefusal(403, "PERMISSION", "a request with an Origin comes from a web page, and those are not served");
  if (method !== "GET") return httpRefusal(405, "INVALID_REQUEST", "a WebSocket is asked for with GET");
  if (url !== "/") return httpRefusal(404, "INVALID_REQUEST", 'the WebSocket is at the path "/"');
  if (headers.upgrade?.toLowerCase() !== "websocket") return notWebSocket;
  if (headers["sec-websocket-version"] !== webSocketVersion)
    return httpRefusal(426, "INVALID_REQUEST", `Sec-WebSocket-Version must be ${webSocketVersion}`);
  if (chooseSubprotocol(offered(headers["sec-websocket-protocol"])) === undefined) {
    const known = Object.values(subprotocols).join(" or ");
    return httpRefusal(400, "PROTOCOL_VERSION", `Sec-WebSocket-Protocol must offer ${known}`);
  }
  return { purpose: purposeOf(headers[purposeHeader]) };
}

/** The first offered subprotocol that is ours. */
export function chooseSubprotocol(names: Iterable<string>): string | undefined {
  for (const name of names) if (encodingOf(name) !== undefined) return name;
  return undefined;
}

function offered(header: string | undefined): readonly string[] {
  return header === undefined ? [] : header.split(",").map((name) => name.trim());
}

function purposeOf(header: string | string[] | undefined): Purpose {
  return header === "resuming" || header === "operator" ? header : "newcomer";
}

/** An HTTP answer, for whoever writes it. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

/** The fixed remedy of the code goes along; nothing of the request comes back. */
export function httpAnswerOf({ status, code, message }: HttpRefusal): HttpAnswer {
  const body = `${JSON.stringify({ code, message, remedy: refusals[code].remedy })}\n`;
  const headers = {
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
    ...headersOf[status],
  };
  return { status, headers, body };
}

/** The whole of it, where there is nothing but a socket. */
export function httpRefusalText(refusal: HttpRefusal): string {
  const { status, headers, body } = httpAnswerOf(refusal);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${statusWords[status] ?? "Refused"}\r\n${lines.join("")}\r\n${body}`;
}

/** What a status asks for beside the body (RFC 9110; RFC 6455, 4.4). */
const headersOf: { readonly [status: number]: HttpAnswer["headers"] } = {
  405: { Allow: "GET" },
  426: { Upgrade: "websocket", "Sec-WebSocket-Version": webSocketVersion },
  503: { "Retry-After": "1" },
};

const statusWords: { readonly [status: number]: string } = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  426: "Upgrade Required",
  503: "Service Unavailable",
};
