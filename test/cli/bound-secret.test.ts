import assert from "node:assert/strict";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type BoundSecret, BoundSecrets } from "../../src/cli/bound-secret.js";
import { tempDir } from "../support/temp-dir.js";

const socket = "/run/a.sock";
const secret = (more: Partial<BoundSecret> = {}): BoundSecret => ({
  name: "deploy",
  process: { pid: 10, startTime: "123" },
  secret: "s",
  socket,
  maker: 11,
  ...more,
});

test("of two calls for one lock and process only the first gets the file", (t) => {
  const secrets = new BoundSecrets(join(tempDir(t), "bound"), socket);
  assert.equal(secrets.create(secret()), true);
  assert.equal(secrets.create(secret({ secret: "other" })), false);
  assert.equal(secrets.create(secret({ name: "other" })), true);
  assert.equal(secrets.create(secret({ process: { pid: 10, startTime: "124" } })), true);
  assert.deepEqual(
    secrets.find({ name: "deploy", pid: 10 }).map((one) => one.secret),
    ["s", "s"],
  );
});

test("the file is for its owner's eyes alone, and no draft stays", (t) => {
  const directory = join(tempDir(t), "bound");
  const secrets = new BoundSecrets(directory, socket);
  secrets.create(secret());
  secrets.replace(secret({ token: 5 }));
  const files = readdirSync(directory);
  assert.equal(files.length, 1);
  assert.equal(statSync(join(directory, files[0] ?? "")).mode & 0o777, 0o600);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(secrets.find()[0]?.token, 5);
});

test("files of processes that are gone are taken away, others stay", (t) => {
  const secrets = new BoundSecrets(join(tempDir(t), "bound"), socket);
  secrets.create(secret());
  secrets.create(secret({ process: { pid: 20, startTime: "1" } }));
  secrets.sweep(({ pid }) => pid === 20);
  assert.deepEqual(
    secrets.find().map((one) => one.process.pid),
    [20],
  );
  const [left] = secrets.find();
  assert.ok(left !== undefined);
  secrets.remove(left);
  assert.deepEqual(secrets.find(), []);
});

test("nothing there, or something foreign there, is no secret", (t) => {
  const directory = tempDir(t);
  assert.deepEqual(new BoundSecrets(join(directory, "missing"), socket).find(), []);
  writeFileSync(join(directory, "x.secret"), "not ours");
  writeFileSync(join(directory, "readme"), "");
  assert.deepEqual(new BoundSecrets(directory, socket).find(), []);
});

test("one directory has the secrets of several brokers apart, and those without a socket for each", (t) => {
  const directory = join(tempDir(t), "bound");
  const [here, there] = [socket, "/run/b.sock"].map((path) => new BoundSecrets(directory, path));
  assert.ok(here !== undefined && there !== undefined);
  assert.ok(here.create(secret()));
  assert.ok(there.create(secret({ socket: "/run/b.sock", secret: "t" })));
  const older = { name: "older", process: { pid: 10, startTime: "123" }, secret: "o", maker: 11 };
  assert.ok(here.create(older));
  const found = (secrets: BoundSecrets) => secrets.find().map((one) => one.secret);
  assert.deepEqual(
    [found(here).sort(), found(there).sort()],
    [
      ["o", "s"],
      ["o", "t"],
    ],
  );
  there.remove(older);
  assert.deepEqual([found(here), found(there)], [["s"], ["t"]]);
  here.sweep(() => false);
  assert.deepEqual(found(there), []);
});

test("a secret is found by each name that was acquired with it", (t) => {
  const secrets = new BoundSecrets(join(tempDir(t), "bound"), socket);
  secrets.create(secret({ also: ["more"] }));
  for (const name of ["deploy", "more"]) assert.equal(secrets.find({ name, pid: 10 }).length, 1);
  assert.deepEqual(secrets.find({ name: "other" }), []);
});
