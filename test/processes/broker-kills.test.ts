/**
 * The broker is killed over and over while five programs write, count and lock; none of them is restarted or told.
 *
 * Whoever finds no broker starts one, as programs do. At the end the programs' own records of what was acknowledged
 * are compared with the database.
 */
import { test } from "node:test";
import { Home, successorOf } from "../support/broker.js";
import { Canary } from "../support/canary.js";
import { kill, known } from "../support/processes.js";
import { Crew } from "./crew.js";

const kills = 20;
const members = 5;

test("twenty SIGKILLs of the broker under load lose nothing, double nothing, and take no token back", async (t) => {
  const home = new Home(t);
  const setup = await home.connect({ start: true });
  await Crew.prepare(setup, members);
  const crew = await Crew.start(t, home, { members, works: ["inserts", "counter", "fenced"], start: true });
  const canary = await Canary.start(home);
  let front = known((await home.status()).pid);
  for (let n = 0; n < kills; n++) {
    // Each fourth one dies as soon as it is there, with everybody on the way back to it.
    if (n % 4 !== 3) await crew.eachGoesOn(5 + (n % 4) * 10);
    kill(front, "SIGKILL");
    front = await successorOf(home, front);
  }
  await crew.eachGoesOn(10);
  await canary.goesOn();
  await crew.finish();
  const { acknowledged } = await crew.check(await home.connect());
  t.diagnostic(`${kills} kills, ${acknowledged} acknowledged operations, ${canary.rounds} rounds of the canary`);
});
