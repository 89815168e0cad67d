import assert from "node:assert/strict";
import { test } from "node:test";
import { parameterNames, parameterNumberMax } from "../../../src/store/gate/index.js";
import { letIn, refusalOf, refusedAt } from "./verdict.js";

test("parameters are numbered and named as SQLite does it", () => {
  const cases: [list: string, names: (string | null)[], style: string][] = [
    ["1", [], "none"],
    ["?, ?", [null, null], "anonymous"],
    ["?, ?3, :one", [null, null, "?3", ":one"], "mixed"],
    [":a, @b, $c, :a", [":a", "@b", "$c"], "named"],
    ["?2, ?", [null, "?2", null], "mixed"],
    ["?, ?1", ["?1"], "named"],
    ["?1, :a, ?2", ["?1", ":a"], "named"],
    ["?01, ?1, ?001", ["?01"], "named"],
    [":1, ?1", [":1"], "named"],
    [":a, ?1, ?", [":a", null], "mixed"],
    ["'?', \"?\", [?], `:a`, x'', ?/* ? */ --:b", [null], "anonymous"],
    ["?5", [null, null, null, null, "?5"], "mixed"],
  ];
  for (const [list, names, style] of cases) {
    const { parameters } = letIn(`select ${list}`);
    assert.deepEqual(parameterNames(parameters), names, list);
    assert.equal(parameters.count, names.length, list);
    assert.equal(parameters.style, style, list);
    assert.deepEqual(
      parameters.named.map(({ number, name, key }) => [number, name, key]),
      names.flatMap((name, i) => (name === null ? [] : [[i + 1, name, name.slice(1)]])),
      list,
    );
  }
});

test("parameters that differ only in their prefix cannot be told apart and are refused", () => {
  assert.equal(refusedAt("select :a, ?, $a", "PARAMETER_CLASH"), "$a");
  assert.match(refusalOf("select :a, ?, $a").message, /:a and \$a/);
  assert.equal(refusedAt("select @a, :a", "PARAMETER_CLASH"), ":a");
  assert.equal(refusedAt("select ?3, :3", "PARAMETER_CLASH"), ":3");
  assert.equal(letIn("select :a, :A, :aa, @b").parameters.count, 4);
});

test("the numbers of parameters end where SQLite's end", () => {
  assert.equal(letIn(`select ?${parameterNumberMax}`).parameters.count, 32_766);
  for (const name of ["?0", "?32767", "?99999999999999999999", `?1${"0".repeat(400)}`])
    assert.ok(name.startsWith(refusedAt(`select ${name}`, "STATEMENT_REFUSED").slice(0, 3)), name);
  assert.equal(refusedAt("select ?32766, ?", "STATEMENT_REFUSED"), "?");
  assert.equal(refusedAt("select ?32766, :a", "STATEMENT_REFUSED"), ":a");
});
