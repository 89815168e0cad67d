/** What is installed is what was looked at, byte by byte, whatever registry it comes from. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "./tree.js";

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
}

/** The project's own packages, and those that it is measured beside. */
const folders = ["", "bench/peers/"];

/** By place; the place "" is the package itself that the file belongs to. */
function lockedPackages(folder: string): (readonly [place: string, LockedPackage])[] {
  const { packages } = JSON.parse(read(`${folder}package-lock.json`)) as {
    packages: { [place: string]: LockedPackage };
  };
  return Object.entries(packages).filter(([place]) => place !== "");
}

test("every package of the lock files has its hash, also those that other platforms install", () => {
  const places = folders.flatMap(lockedPackages);
  assert.ok(places.length > 50, `the lock files have ${places.length} packages`);
  const without = places.filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""));
  assert.deepEqual(
    without.map(([place]) => place),
    [],
  );
});

test("the lock files name no host: the registry is whoever installs' own", () => {
  const hosted = folders
    .flatMap(lockedPackages)
    .filter(([, { resolved, version = "" }]) => resolved !== undefined || version.includes(":"));
  assert.deepEqual(
    hosted.map(([place]) => place),
    [],
  );
  for (const folder of folders) assert.match(read(`${folder}.npmrc`), /^omit-lockfile-registry-resolved=true$/m);
});
