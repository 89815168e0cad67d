/**
 * The few words of plain HTTP that the door understands: two questions of health. Anything else is judged as an upgrade,
 * which it is not, and gets the same answer as one that is refused. Nothing of a request is echoed, no body is read.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { httpAnswerOf, httpRefusal, httpRefusalText, judgeUpgrade, notWebSocket } from "./upgrade.js";

/** The head of a request takes a local client a millisecond; so long it may take at most, be it bytes or silence. */
export const headMsStandard = 5000;
const headBytesMax = 16 * 1024;

/** A server that answers plain requests, and hands upgrades to whoever listens for them. `ready` is asked each time. */
export function createHttpServer(ready: () => boolean, headMs: number): Server {
  const server = createServer(
    {
      connectionsCheckingInterval: headMs / 10,
      headersTimeout: headMs,
      requestTimeout: headMs,
      keepAliveTimeout: 1,
      maxHeaderSize: headBytesMax,
    },
    (request, response) => answer(request, response, ready),
  );
  return server;
}

function answer(request: IncomingMessage, response: ServerResponse, ready: () => boolean): void {
  const path = request.url?.split("?", 1)[0];
  const asks = request.method === "GET" || request.method === "HEAD";
  const isReady = ready();
  if (asks && path === "/livez") plain(response, 200, "alive\n");
  else if (asks && path === "/readyz") plain(response, isReady ? 200 : 503, isReady ? "ready\n" : "not ready\n");
  else {
    const judged = judgeUpgrade(request);
    // A head may have all of an upgrade but the word in Connection.
    const refused = httpAnswerOf("status" in judged ? judged : notWebSocket);
    response.writeHead(refused.status, refused.headers).end(refused.body);
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(text),
    Connection: "close",
    "Cache-Control": "no-store",
  });
  response.end(text);
}

/** For a client whose head Node could not read: the status that fits, and the end. */
export function badHeadText(code: string | undefined): string {
  if (code === "HPE_HEADER_OVERFLOW")
    return "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
  return httpRefusalText(httpRefusal(400, "INVALID_REQUEST", "the head of the request cannot be read"));
}
