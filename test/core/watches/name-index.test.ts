import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NameIndex } from "../../../src/core/watches/name-index.js";
import type { LockName } from "../../../src/terms/index.js";
import { name } from "../support/values.js";

test("a name finds those who want it or a beginning of it, however many have come and gone", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 });
  const interest = fc.record({ name: fc.option(word), prefix: fc.oneof(fc.constant(""), word) });
  fc.assert(
    fc.property(fc.array(interest, { maxLength: 12 }), fc.array(fc.nat(20)), word, (wanted, gone, asked) => {
      const index = new NameIndex<{ name: LockName | undefined; prefix: string }>();
      let all = wanted.map((one) => ({ name: one.name === null ? undefined : name(one.name), prefix: one.prefix }));
      for (const one of all) index.add(one);
      for (const i of gone) {
        const one = all[i];
        if (one === undefined) continue;
        index.remove(one);
        assert.equal(index.has(one), false);
        all = all.filter((other) => other !== one);
      }
      const found = new Set<(typeof all)[number]>();
      index.forEach(name(asked), (one) => found.add(one));
      const expected = all.filter((one) =>
        one.name === undefined ? asked.startsWith(one.prefix) : one.name === asked,
      );
      assert.deepEqual([found.size, index.size], [expected.length, all.length]);
      for (const one of expected) assert.ok(found.has(one));
    }),
  );
});
