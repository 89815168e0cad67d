/** The bare floor: a ws server on a Unix socket that sends every message back. No protocol, no state. */
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("usage: echo-server.main.js SOCKET");
const http = createServer();
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
http.listen(path, () => process.send?.("ready"));
process.once("disconnect", () => process.exit(0));
