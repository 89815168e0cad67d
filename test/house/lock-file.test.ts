/** What is installed is what was looked at, byte by byte, whatever registry it comes from. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "./tree.js";

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
}

/** By place; the place "" is this package itself. */
function lockedPackages(): (readonly [place: string, LockedPackage])[] {
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: { [place: string]: LockedPackage } };
  return Object.entries(packages).filter(([place]) => place !== "");
}

test("every package of the lock file has its hash, also those that other platforms install", () => {
  const places = lockedPackages();
  assert.ok(places.length > 50, `the lock file has ${places.length} packages`);
  const without = places.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""));
  assert.deepEqual(
    without.map(([place]) => place),
    [],
  );
});

test("the lock file names no host: the registry is whoever installs' own", () => {
  const hosted = lockedPackages().filter(
    ([, { resolved, version = "" }]) => resolved !== undefined || version.includes(":"),
  );
  assert.deepEqual(
    hosted.map(([place]) => place),
    [],
  );
  assert.match(read(".npmrc"), /^omit-lockfile-registry-resolved=true$/m);
});
