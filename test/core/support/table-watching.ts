/** Watches of tables as their tests look at them: what was answered, what was heard, what the writer was asked for. */
import type { Letter } from "../../../src/core/index.js";
import type { TestBroker } from "./test-broker.js";
import type { Asked, TestClient } from "./test-client.js";
import { changeWords } from "./transcript-words.js";

type Watching = Extract<Letter, { kind: "table-watching" }>;

export function watching(asked: Asked): Watching {
  const { answer } = asked;
  if (answer.kind !== "table-watching") throw new Error(JSON.stringify(answer));
  return answer;
}

/** What each letter says, by watch. */
export function heard(client: TestClient): string[] {
  return client.notes.flatMap((letter) => {
    if (letter.kind !== "table-changes") return [];
    const words = letter.changes.map(changeWords);
    return [`${letter.watch}: ${[...words, ...(letter.gap ? [`gap up to ${letter.upTo}`] : [])].join(", ")}`];
  });
}

/** What the writer is asked for: without the number of the set. */
export function orders({ writer }: TestBroker, taken = true): string[] {
  const jobs = taken ? writer.taken("watch") : writer.asked.filter((job) => job.kind === "watch");
  return jobs.map(({ tables, dropped }) =>
    [...tables.map(({ table, keys }) => `${table}${keys ? "*" : ""}`), ...dropped.map((table) => `no ${table}`)].join(
      " ",
    ),
  );
}
