/**
 * The core's stories, for people to read: commands in, decisions out, comments between. What is decided must be what is
 * written there; `HOLDFAST_REWRITE=1 node --test out/test/scenarios/core/stories.test.js` writes it anew, to be read
 * before it is kept.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { played } from "../../core/support/transcript.js";

const folder = fileURLToPath(new URL("../../../../test/scenarios/core/", import.meta.url));
const rewrite = process.env["HOLDFAST_REWRITE"] === "1";

for (const file of readdirSync(folder).filter((one) => one.endsWith(".txt"))) {
  const path = `${folder}${file}`;
  const story = readFileSync(path, "utf8");
  const [title = file] = story.split("\n");
  test(title.replace(/^# /, ""), () => {
    const now = played(story);
    if (rewrite) writeFileSync(path, now);
    else assert.equal(now, story);
  });
}
