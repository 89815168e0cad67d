/**
 * Sockets that say nothing, as many as there are places for, each opened again when it is ended: whoever comes to speak
 * gets in all the same, and who is in already notices nothing.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { Home } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { until, within } from "../support/patience.js";
import { Wire, type WireOptions } from "../support/wire.js";

/** A client of ours asks again so often within a few seconds. */
const attemptsMax = 100;
const limits = { helloMs: 60_000, unauthenticatedMax: 64, connectionsMax: 200 };

interface Silent {
  readonly ended: Promise<unknown>;
  end(): void;
}

/** Keeps so many of something open until it is lifted. */
class Siege {
  opened = 0;
  #lifted = false;
  readonly #open = new Set<Silent>();

  constructor(count: number, open: () => Promise<Silent>) {
    for (let n = 0; n < count; n++) void this.#keep(open);
  }

  lift(): void {
    this.#lifted = true;
    for (const one of this.#open) one.end();
  }

  async #keep(open: () => Promise<Silent>): Promise<void> {
    while (!this.#lifted) {
      try {
        const one = await open();
        this.opened += 1;
        this.#open.add(one);
        await one.ended;
        this.#open.delete(one);
      } catch {
        // Refused: at once again, but not in this breath.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}

/** As an honest client that asks again when it is refused or ended. */
async function getIn(home: Home, options: WireOptions = {}): Promise<void> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    try {
      const wire = await Wire.open(home.socket, options);
      await wire.hello();
      await wire.drop();
      return;
    } catch (error) {
      assert.match(String(error), /503|4408|ECONNRESET|EPIPE|EAGAIN|hang up/);
    }
  }
  assert.fail(`${attemptsMax} attempts were refused`);
}

test("64 connections that never say hello, each opened again when it is ended, keep nobody out", async (t) => {
  const home = new Home(t);
  await home.start({ limits });
  const canary = await Canary.start(home);
  const siege = new Siege(64, async () => {
    const wire = await Wire.open(home.socket);
    return { ended: wire.closed, end: () => wire.socket.terminate() };
  });
  t.after(() => siege.lift());
  await until("all places to be taken", () => siege.opened >= 64);
  for (let n = 0; n < 5; n++) await getIn(home);
  const library = await within("a program", home.connect());
  assert.deepEqual(await library.query("select 1 as one"), [{ one: 1 }]);
  await canary.goesOn();
  siege.lift();
});

test("sockets that send no request at all, more than there are places, keep nobody out", async (t) => {
  const home = new Home(t);
  await home.start({ limits });
  const canary = await Canary.start(home);
  const siege = new Siege(1300, async () => {
    const socket = await dumb(home.socket);
    return { ended: new Promise((resolve) => socket.once("close", resolve)), end: () => socket.destroy() };
  });
  t.after(() => siege.lift());
  await until("all places to be taken", () => siege.opened >= 1300);
  for (let n = 0; n < 5; n++) await getIn(home);
  await within("a program", home.connect());
  await getIn(home, { headers: { "holdfast-purpose": "operator" } });
  await canary.goesOn();
  siege.lift();
});

function dumb(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(socket));
    socket.on("error", reject);
  });
}
