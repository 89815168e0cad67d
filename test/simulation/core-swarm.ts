/**
 * A life of the simulated world out of one seed: what happens, in which order, how often; and then a quiet end, in which
 * everybody gets an answer and nothing may be left.
 */
import assert from "node:assert/strict";
import { CoreWorld } from "./core-world.js";

/** How often each thing happens, relative to the others; drawn for each seed. */
const rates = {
  ask: [30, 60],
  settle: [5, 30],
  read: [5, 30],
  time: [5, 20],
  connect: [5, 20],
  disconnect: [0, 6],
  takeOver: [0, 3],
  cancel: [0, 5],
  die: [0, 2],
  goodbye: [0, 2],
  killWriter: [0, 4],
  failWriter: [0, 2],
  killReader: [0, 3],
  operatingSystem: [2, 10],
  reserve: [2, 10],
  pause: [0, 1],
  restart: [0, 1],
  ledgerFull: [0, 1],
} as const;

type Happening = keyof typeof rates;

/** Lives for so many steps, comes to rest, and gives the hash of all that was decided. */
export function liveOut(seed: number, steps: number): string {
  const world = new CoreWorld(seed);
  const { random } = world;
  const happenings: Happening[] = [];
  for (const [happening, [least, most]] of Object.entries(rates))
    for (let weight = least + random.below(most - least + 1); weight > 0; weight--)
      happenings.push(happening as Happening);
  for (let step = 0; step < steps; step++) happen(world, random.pick(happenings));
  comeToRest(world);
  checkVerdicts(world);
  return world.trace;
}

function happen(world: CoreWorld, happening: Happening): void {
  const { random } = world;
  const actor = random.pick(world.actors);
  switch (happening) {
    case "ask":
      return world.ask(actor);
    case "settle":
      return world.work(random.below(5));
    case "read":
      return world.readSomething();
    case "time":
      return world.pass(random.pick([1, 5, 20, 60, 200, 1000, random.below(8000)]));
    case "connect":
      return world.connect(actor);
    case "disconnect":
      return world.disconnect(actor);
    case "takeOver":
      if (actor.live) world.speak(actor);
      return;
    case "cancel":
      return world.cancel(actor);
    case "die":
      return world.die(actor);
    case "goodbye":
      if (actor.live && random.chance(0.3)) world.send(actor, actor.goodbye());
      return;
    case "killWriter":
      return world.killWriter(false);
    case "failWriter":
      if (world.writer.state === "starting") world.tell(world.writer.refuse());
      return;
    case "killReader":
      return world.killReader();
    case "operatingSystem":
      return world.answerOneProbe();
    case "reserve":
      return world.chores();
    case "pause":
      return world.pause(random.below(20_000));
    case "restart":
      if (random.chance(0.3)) world.restart();
      return;
    case "ledgerFull":
      world.tell({ kind: "ledger", full: true });
      world.ask(actor);
      return world.tell({ kind: "ledger", full: false });
  }
}

/** Nothing goes wrong any more: everybody comes back, gives back, says goodbye. */
function comeToRest(world: CoreWorld): void {
  for (const actor of world.actors) if (!actor.alive) world.disconnect(actor);
  for (let round = 0; round < 400 && !isAnswered(world); round++) {
    for (const actor of world.actors) if (actor.alive) settleDown(world, actor);
    serve(world);
  }
  for (const { open, session, alive } of world.actors)
    if (alive)
      assert.deepEqual(
        open.map(({ command }) => command.kind),
        [],
        `what ${session} asked is not answered`,
      );
  for (const actor of world.actors) if (actor.alive) world.send(actor, actor.goodbye());
  for (let round = 0; round < 40; round++) serve(world);
  for (const actor of world.actors) world.disconnect(actor);
  for (let round = 0; round < 10; round++) serve(world);
  world.pass(120_000);
  for (let round = 0; round < 40; round++) serve(world);
  const { settled: _, ...left } = world.core.counts;
  const reads = { readsQueued: 0, readsRunning: 0 };
  const nothing = { sessions: 0, connections: 0, held: 0, waiting: 0, queued: 0, dispatched: 0, ...reads };
  assert.deepEqual(left, nothing, "something is left");
  const { sessions, grants, waiters } = world.ledger;
  assert.equal(sessions.size + grants.size + waiters.size, 0, "rows are left");
  world.pass(120_000);
  for (let round = 0; round < 10; round++) serve(world);
  assert.equal(world.core.nextDeadline(world.now), undefined, "a deadline is left");
}

function isAnswered({ actors }: CoreWorld): boolean {
  return actors.every(({ alive, live, open, grants }) => !alive || (live && open.length === 0 && grants.size === 0));
}

function settleDown(world: CoreWorld, actor: CoreWorld["actors"][number]): void {
  world.connect(actor);
  if (!actor.live) return;
  const releasing = new Set(actor.open.flatMap(({ command }) => (command.kind === "release" ? [command.token] : [])));
  for (const grant of [...actor.grants.values()])
    if (!releasing.has(grant.token)) world.send(actor, actor.release(grant));
}

/** Everything that the store and the operating system owe, and a little time. */
function serve(world: CoreWorld): void {
  world.chores();
  world.writer.walBytes = 0;
  world.work(1000);
  for (let i = world.probes.length; i > 0; i--) world.answerOneProbe();
  for (let i = 0; i < 20; i++) world.readSomething();
  world.pass(world.random.pick([10, 100, 1000]));
}

/** What was told of each write is what became of it. */
function checkVerdicts({ actors, buried, writer }: CoreWorld): void {
  const done = new Set<string>();
  const keys = new Set<string>();
  for (const { what, session, key } of writer.applied) {
    assert.ok(!done.has(what), `${what} was applied twice`);
    done.add(what);
    if (key === undefined) continue;
    assert.ok(!keys.has(`${session}/${key}`), `key ${key} of ${session} was applied twice`);
    keys.add(`${session}/${key}`);
  }
  for (const { verdicts } of [...actors, ...buried])
    for (const { what, outcome } of verdicts)
      assert.equal(done.has(what), outcome === "done", `${what} was told as ${outcome}, and that is not so`);
}
