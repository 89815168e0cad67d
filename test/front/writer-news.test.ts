import assert from "node:assert/strict";
import { test } from "node:test";
import { WriterNews } from "../../src/front/writer-news.js";

test("that there is no writer is said once for each reason, and that there is one again", () => {
  const said: string[] = [];
  const news = new WriterNews((level, { reason }) => said.push(`${level} ${reason ?? ""}`));
  news.look({ kind: "starting" });
  news.look({ kind: "ready" });
  for (let turn = 0; turn < 3; turn++) news.look({ kind: "unavailable", reason: "held" });
  news.look({ kind: "starting" });
  news.look({ kind: "unavailable", reason: "held" });
  news.look({ kind: "unavailable", reason: "the disk failed" });
  for (let turn = 0; turn < 3; turn++) news.look({ kind: "ready" });
  news.look({ kind: "unavailable", reason: "held" });
  assert.deepEqual(said, ["error held", "error the disk failed", "info ", "error held"]);
});
