import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { publishUnixSocket, type UnixSocket } from "../../src/transport/index.js";
import { tempDir } from "../support/temp-dir.js";
import { uid } from "./open-transport.js";

const { platform } = process;

function place(t: TestContext): string {
  return join(tempDir(t), "broker.sock");
}

/** A server that says its name to whoever connects. */
function server(t: TestContext, name: string): Server {
  const made = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(name);
  });
  t.after(() => made.close());
  return made;
}

async function publish(t: TestContext, path: string, name = "first"): Promise<{ server: Server; socket: UnixSocket }> {
  const made = server(t, name);
  return { server: made, socket: await publishUnixSocket(made, { path, uid, platform }) };
}

/** The name that the server behind the path says, or the error's code. */
async function ask(path: string): Promise<string> {
  const socket = connect(path);
  let said = "";
  socket.on("data", (chunk) => {
    said += chunk.toString();
  });
  try {
    await once(socket, "close");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "?";
  }
  return said;
}

test("a published socket is its owner's alone, whatever the umask, and no private name stays behind", async (t) => {
  for (const umask of [0o000, 0o022]) {
    const path = place(t);
    const before = process.umask(umask);
    try {
      await publish(t, path);
      assert.equal(process.umask(), umask, "the umask of the process is what it was");
    } finally {
      process.umask(before);
    }
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(dirname(path)), ["broker.sock"]);
    assert.equal(await ask(path), "first");
  }
});

test("no socket of wider mode is to be seen at any moment", async (t) => {
  const path = place(t);
  const made = server(t, "x");
  const before = process.umask(0);
  t.after(() => process.umask(before));
  const publishing = publishUnixSocket(made, { path, uid, platform });
  // Node has bound the private name within the call.
  const [draft] = readdirSync(dirname(path));
  assert.match(draft ?? "", /^\.hf/);
  assert.equal(lstatSync(join(dirname(path), draft ?? "")).mode & 0o777, 0o600);
  await publishing;
});

test("a socket that a killed broker left behind is replaced", async (t) => {
  const path = place(t);
  const dead = await publish(t, path, "dead");
  // close() removes the name that was bound, and that is not the public one: the file stays, as after a kill.
  await new Promise((resolve) => dead.server.close(resolve));
  assert.equal(await ask(path), "ECONNREFUSED");
  await publish(t, path, "second");
  assert.equal(await ask(path), "second");
});

test("whoever takes over does so without a moment in which connecting fails", async (t) => {
  const path = place(t);
  let serving = await publish(t, path, "0");
  let asking = true;
  const answers = new Set<string>();
  const client = (async () => {
    while (asking) answers.add(await ask(path));
  })();
  for (let generation = 1; generation <= 20; generation++) {
    const next = await publish(t, path, "ok");
    const previous = serving;
    serving = next;
    assert.equal(await ask(path), "ok");
    previous.server.close();
  }
  asking = false;
  await client;
  answers.delete("0");
  assert.deepEqual([...answers], ["ok"]);
});

test("an old broker that ends late does not remove its successor's socket", async (t) => {
  const path = place(t);
  const old = await publish(t, path, "old");
  assert.equal(old.socket.stillPublished(), true);
  const fresh = await publish(t, path, "new");
  assert.equal(old.socket.stillPublished(), false);
  old.socket.withdraw();
  old.socket.remove();
  await new Promise((resolve) => old.server.close(resolve));
  assert.equal(fresh.socket.stillPublished(), true);
  assert.equal(await ask(path), "new");
});

test("a socket that somebody deleted is noticed as not published", async (t) => {
  const path = place(t);
  const { socket } = await publish(t, path);
  rmSync(path);
  assert.equal(socket.stillPublished(), false);
  rmSync(dirname(path), { recursive: true });
  assert.equal(socket.stillPublished(), false);
  socket.remove();
});

test("a withdrawn socket is not found by newcomers, goes on accepting, and can come back", async (t) => {
  const path = place(t);
  const { socket } = await publish(t, path);
  const early = connect(path);
  socket.withdraw();
  assert.equal(await ask(path), "ENOENT");
  const [said] = await once(early, "data");
  assert.equal(String(said), "first");
  socket.restore();
  assert.equal(await ask(path), "first");
  socket.withdraw();
  socket.remove();
  assert.deepEqual(readdirSync(dirname(path)), []);
});

for (const [what, put] of [
  ["a file", (path: string) => writeFileSync(path, "precious")],
  ["a directory", (path: string) => mkdirSync(path)],
  ["a symbolic link", (path: string) => symlinkSync("elsewhere", path)],
] as const) {
  test(`${what} at the socket's place is refused and left alone`, async (t) => {
    const path = place(t);
    put(path);
    const before = lstatSync(path).ino;
    await assert.rejects(publish(t, path), { code: "PERMISSION", message: new RegExp(`is ${what}`) });
    assert.equal(lstatSync(path).ino, before);
  });
}

test("a directory that others can enter gets no socket", async (t) => {
  const path = place(t);
  chmodSync(dirname(path), 0o755);
  await assert.rejects(publish(t, path), { code: "PERMISSION", message: /chmod 700/ });
  assert.deepEqual(readdirSync(dirname(path)), []);
});

test("a path that the kernel would cut is refused", async (t) => {
  const directory = join(tempDir(t), "d".repeat(90));
  mkdirSync(directory, { mode: 0o700 });
  await assert.rejects(publish(t, join(directory, "broker.sock")), { code: "CONFIGURATION" });
  assert.deepEqual(readdirSync(directory), []);
});

test("a directory that cannot be written to is an error that names it", async (t) => {
  const path = join(tempDir(t), "gone", "broker.sock");
  await assert.rejects(publish(t, path), { code: "PERMISSION", message: /gone is not there|gone.*not there/ });
});
