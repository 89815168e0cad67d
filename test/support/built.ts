/**
 * The built files, as they are installed: what these tests start and import, and nothing else of the broker.
 *
 * HOLDFAST_TEST_DIST names another build, so that a build with a rule taken out can be seen to fail.
 */
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

type Library = typeof import("../../src/client/index.js");

/** This file runs from out/test/support/. */
const root = resolve(fileURLToPath(new URL(".", import.meta.url)), "../../..");

export const dist = process.env["HOLDFAST_TEST_DIST"] ?? join(root, "dist");

export const built = {
  front: join(dist, "front.js"),
  cli: join(dist, "cli.js"),
  library: pathToFileURL(join(dist, "client", "index.js")).href,
} as const;

/** The library that programs import. */
export async function library(): Promise<Library> {
  return (await import(built.library)) as Library;
}
