/**
 * What the docstrings of the lock service show runs as it stands there. `broker` and `lock` are what a reader takes them
 * for; where an example speaks of others, there are others.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { before, after as cleanUp, test } from "node:test";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import type { Broker, LockHandle } from "../../src/client/index.js";
import { type EphemeralBroker, ephemeralBroker } from "../../src/client/testing.js";

const root = resolve(fileURLToPath(new URL(".", import.meta.url)), "../../..");
const files = ["lock-handle.ts", "locks.ts", "elections.ts", "broker.ts"];

interface Example {
  readonly where: string;
  readonly code: string;
}

/** Of one docstring there may be several. */
function examplesIn(file: string): Example[] {
  const text = readFileSync(join(root, "src", "client", file), "utf8");
  return [...text.matchAll(/\/\*\*(.*?)\*\//gs)].flatMap(([, comment = ""]) => {
    const lines = comment.replaceAll(/^\s*\* ?/gm, "");
    const parts = lines.split(/^@(?=\w)/m).filter((part) => part.startsWith("example"));
    return parts.map((part, at) => ({
      where: `${file}, "${firstWords(comment)} …" (${at + 1})`,
      code: part.slice("example".length),
    }));
  });
}

function firstWords(comment: string): string {
  return comment
    .replaceAll(/[\s*]+/g, " ")
    .trim()
    .slice(0, 50);
}

let place: EphemeralBroker;
let broker: Broker;
let other: Broker;
before(async () => {
  place = await ephemeralBroker();
  broker = await place.connect({ program: "reader" });
  other = await place.connect({ program: "other" });
  await broker.script(
    "create table page(done, hash); create table stale(a); create table job(id, state, name); create table a(sum); insert into a values (7)",
  );
});
cleanUp(async () => {
  await broker.close();
  await other.close();
  await place[Symbol.asyncDispose]();
});

/** With these names; what it prints is not shown. */
async function run(code: string, known: { readonly [name: string]: unknown }): Promise<void> {
  const wrapped = `export async function example() {${code}\n}`;
  const { code: body } = transformSync(wrapped, { target: "node20", format: "esm" });
  const names = { ...known, console: { log: () => {}, error: () => {} }, report: () => {} };
  const make = new Function(...Object.keys(names), `${body.replace(/^export \{[^}]*\};?$/m, "")}; return example`);
  const example = make(...Object.values(names)) as () => Promise<void>;
  await example();
}

/** What the example takes to be there: a holder that gives way, one that waits, others that come and go. */
async function aroundOf(code: string): Promise<{ readonly end: () => Promise<void> }> {
  const ends: (() => Promise<unknown>)[] = [];
  if (/locks\.(?:break|transfer)\(/.test(code)) {
    const holder: LockHandle = await other.acquire("deploy/prod", { onRevoking: () => void holder.release() });
    const waiting = broker.acquire("deploy/prod");
    ends.push(
      () => holder.release(),
      async () => (await waiting).release(),
    );
  }
  if (/locks\.watch\(|elections\.observe\(/.test(code)) ends.push(comingAndGoing());
  if (/broker\.watch\(/.test(code)) ends.push(writing());
  if (/locks\.resize\(/.test(code)) {
    await (await other.acquire("gpu", { slots: 4 })).release();
    ends.push(() => other.locks.resize("gpu", 4));
  }
  return {
    end: async () => {
      for (const end of ends) await end();
    },
  };
}

function comingAndGoing(): () => Promise<void> {
  return repeated(async () => {
    for (const name of ["deploy/watched", "indexer"]) {
      const lock = await other.acquire(name, { reason: "http://other" });
      await lock.release();
    }
  });
}

function writing(): () => Promise<void> {
  return repeated(() => other.execute("insert into job (state) values ('open')"));
}

/** Until the returned function is called. */
function repeated(work: () => Promise<unknown>): () => Promise<void> {
  let goesOn = true;
  const loop = (async () => {
    while (goesOn) await work();
  })();
  return () => {
    goesOn = false;
    return loop;
  };
}

/** Those that end the handle, or are about another broker. */
const others = /broker\.(?:close|detach|on|status|ping|call|migrate)\(|connect\(/;

for (const { where, code } of files.flatMap(examplesIn).filter((one) => !others.test(one.code)))
  test(`the example of ${where} runs`, async (t) => {
    const lock = await broker.acquire(`example ${where}`);
    const leadership = await broker.elections.campaign(`election ${where}`);
    t.after(() => lock.release());
    t.after(() => leadership.resign());
    const world = await aroundOf(code);
    try {
      await run(code, { broker, lock, leadership, session: broker.session });
    } finally {
      await world.end();
    }
  });
