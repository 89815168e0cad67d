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

/** The purpose of an upgrade that may go on, or why it may not. */
export function judgeUpgrade({ method, url, headers }: UpgradeHead): { readonly purpose: Purpose } | HttpRefusal {
  if (headers.origin !== undefined || headers["sec-websocket-origin"] !== undefined)
    return httpRefusal(403, "PERMISSION", "a request with an Origin comes from a web page, and those are not served");
  if (method !== "GET") return httpRefusal(405, "INVALID_REQUEST", "a WebSocket is asked for with GET");
  if (url !== "/") return httpRefusal(404, "INVALID_REQUEST", 'the WebSocket is at the path "/"');
  if (headers.upgrade?.toLowerCase() !== "websocket")
    return httpRefusal(426, "INVALID_REQUEST", "nothing but WebSocket is spoken here");
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

/** The whole HTTP/1.1 answer. The fixed remedy of the code goes along; nothing of the request comes back. */
export function httpRefusalText({ status, code, message }: HttpRefusal): string {
  const body = `${JSON.stringify({ code, message, remedy: refusals[code].remedy })}\n`;
  const retry = status === 503 ? "Retry-After: 1\r\n" : "";
  const upgrade = status === 426 ? "Upgrade: websocket\r\n" : "";
  return (
    `HTTP/1.1 ${status} ${statusWords[status] ?? "Refused"}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${retry}${upgrade}\r\n${body}`
  );
}

const statusWords: { readonly [status: number]: string } = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  426: "Upgrade Required",
  503: "Service Unavailable",
};
