import assert from "node:assert/strict";
import { test } from "node:test";
import { methodNames, methods, refusalsOfAll } from "../../src/protocol/index.js";
import { openrpcDocument } from "../../src/protocol/openrpc.js";
import { assertGolden } from "./golden.js";

test("openrpc.json is what follows from the methods", () => {
  assertGolden("proto/openrpc.json", `${JSON.stringify(openrpcDocument(), undefined, 2)}\n`);
});

test("every reference in the document leads somewhere", () => {
  const document = openrpcDocument();
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1] as string);
  assert.ok(references.length > 100);
  for (const reference of new Set(references)) {
    let place: unknown = document;
    for (const step of reference.split("/"))
      place = (place as { readonly [step: string]: unknown } | undefined)?.[step];
    assert.ok(place !== undefined, reference);
  }
});

test("a method does not name what any request can meet", () => {
  const everywhere: readonly string[] = refusalsOfAll;
  for (const name of methodNames)
    for (const code of methods[name].refusals) assert.ok(!everywhere.includes(code), `${name}: ${code}`);
});
