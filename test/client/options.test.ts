/** What follows from options and environment: where the broker is, and what one that is started is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConnectOptions, settingsFrom } from "../../src/client/options.js";
import { isHoldfastError } from "../../src/terms/index.js";

const bare = { HOME: "/home/x", XDG_RUNTIME_DIR: "/run/x" };

function startOf(options: ConnectOptions) {
  return settingsFrom(options).plan(false, true).start;
}

it("a place that is no text is refused in a sentence", () => {
  for (const name of ["dir", "socket", "database", "program"])
    assert.throws(() => settingsFrom({ env: bare, [name]: 5 }), {
      code: "MISUSE",
      message: `${name} of connect is a text, not 5`,
    });
});

describe("what a program takes the broker for", () => {
  const expected = (options: ConnectOptions) =>
    (settingsFrom(options).introduction as { readonly expects?: unknown }).expects;

  it("is the data directory, unless it has chosen the database or the socket", () => {
    const env = { HOME: "/nowhere/x", HOLDFAST_DIR: "/nowhere/h" };
    assert.deepEqual(expected({ env }), { dataDir: "/nowhere/h/data" });
    assert.deepEqual(expected({ env, database: "/nowhere/app.db" }), { database: "/nowhere/app.db" });
    assert.deepEqual(expected({ env: { ...env, HOLDFAST_DATABASE: "/nowhere/e.db" } }), { database: "/nowhere/e.db" });
    assert.equal(expected({ env, socket: "/s" }), undefined);
    assert.equal(expected({ env: { ...env, HOLDFAST_SOCKET: "/s" } }), undefined);
  });
});

describe("the place of the broker", () => {
  const cases: readonly (readonly [string, ConnectOptions, string])[] = [
    ["is the platform's own when nothing is said", { env: bare }, "/run/x/holdfast/broker.sock"],
    ["follows HOLDFAST_DIR", { env: { ...bare, HOLDFAST_DIR: "/srv/h" } }, "/srv/h/run/broker.sock"],
    [
      "follows an option before HOLDFAST_DIR",
      { dir: "/opt/h", env: { ...bare, HOLDFAST_DIR: "/srv/h" } },
      "/opt/h/run/broker.sock",
    ],
    [
      "follows HOLDFAST_SOCKET before HOLDFAST_DIR",
      { env: { ...bare, HOLDFAST_DIR: "/srv/h", HOLDFAST_SOCKET: "/s" } },
      "/s",
    ],
    [
      "does not follow HOLDFAST_SOCKET out of a directory that was given",
      { dir: "/opt/h", env: { ...bare, HOLDFAST_SOCKET: "/s" } },
      "/opt/h/run/broker.sock",
    ],
    [
      "follows a socket that was given before all",
      { socket: "/t", dir: "/opt/h", env: { ...bare, HOLDFAST_SOCKET: "/s" } },
      "/t",
    ],
  ];
  for (const [name, options, path] of cases)
    it(name, (test) => {
      if (process.platform !== "linux" && options.dir === undefined) return test.diagnostic("the platform's own place");
      assert.equal(settingsFrom(options).socketPath, path);
    });
});

describe("a broker that is started", () => {
  it("is told the places in its environment, since its working directory is another", () => {
    const env = startOf({ dir: "/opt/h", database: "/data/x.db", socket: "/s", env: bare })?.env;
    assert.deepEqual(env, { ...bare, HOLDFAST_DIR: "/opt/h", HOLDFAST_DATABASE: "/data/x.db", HOLDFAST_SOCKET: "/s" });
  });

  it("is told nothing that it would find by itself", () => {
    assert.deepEqual(startOf({ env: bare })?.env, bare);
  });

  it("is not one that a variable leads away from the given directory", () => {
    const env = { ...bare, HOLDFAST_DATABASE: "/precious.db", HOLDFAST_SOCKET: "/s", HOLDFAST_LIMITS: "readersMax=2" };
    assert.deepEqual(startOf({ dir: "/opt/h", env })?.env, {
      ...bare,
      HOLDFAST_LIMITS: "readersMax=2",
      HOLDFAST_DIR: "/opt/h",
    });
  });

  it("is none when that is forbidden, here or there", () => {
    assert.equal(startOf({ env: bare, start: false }), undefined);
    assert.equal(startOf({ env: bare, start: "never" }), undefined);
    assert.equal(startOf({ env: { ...bare, HOLDFAST_START: "never" }, start: true }), undefined);
    assert.equal(settingsFrom({ env: bare }).plan(true, false).start, undefined);
  });
});

describe("the purpose of a connection", () => {
  it("is told, so that who comes back is not kept out by newcomers", () => {
    const settings = settingsFrom({ env: bare });
    assert.equal(settings.plan(false, true).socket.purpose, "newcomer");
    assert.equal(settings.plan(true, true).socket.purpose, "resuming");
    assert.equal(settingsFrom({ env: bare, operator: true }).plan(false, true).socket.purpose, "operator");
  });
});

describe("an option that cannot be meant", () => {
  const wrong: readonly (readonly [string, ConnectOptions])[] = [
    ["startTimeoutMs", { startTimeoutMs: 0 }],
    ["startTimeoutMs", { startTimeoutMs: Number.NaN }],
    ["reconnectTimeoutMs", { reconnectTimeoutMs: -1 }],
    ["encoding", { encoding: "xml" as never }],
    ["integers", { integers: "string" as never }],
    ["role", { role: "" as never }],
    ["program", { program: "a\ud800" }],
    ["directory", { directory: ".holdfast" } as never],
    ["process 4194305", { session: { secret: "s", boundTo: 4_194_305 } }],
  ];
  for (const [name, options] of wrong)
    it(`is refused by its name (${name})`, () => {
      assert.throws(
        () => settingsFrom({ env: bare, ...options }),
        (error) => isHoldfastError(error) && error.code === "MISUSE" && error.message.includes(name),
      );
    });
});
