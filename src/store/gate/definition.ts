/** Which things may be created, dropped and altered: tables, indexes, views, triggers, and two kinds of virtual table. */
import { folded, type Phrase } from "./phrase.js";
import type { GateRefusal } from "./refusal.js";

export type DefinitionVerb = "CREATE" | "DROP" | "ALTER";

/** Modules whose tables hold their data in the same file and reach nothing else: https://sqlite.org/fts5.html, rtree.html. */
const modules: ReadonlySet<string> = new Set(["fts5", "rtree"]);

/** `phrase` begins with `verb`. Answers with a refusal, or undefined if there is nothing to say against it. */
export function refusedDefinition(phrase: Phrase, verb: DefinitionVerb): GateRefusal | undefined {
  switch (verb) {
    case "CREATE":
      return refusedCreation(phrase);
    case "DROP":
      if (/^(TABLE|INDEX|VIEW|TRIGGER)$/.test(phrase.word(1))) return undefined;
      return refuseThing(phrase, "DROP", "TABLE, INDEX, VIEW or TRIGGER");
    case "ALTER":
      return phrase.isWord(1, "TABLE") ? undefined : refuseThing(phrase, "ALTER", "TABLE");
  }
}

function refusedCreation(phrase: Phrase): GateRefusal | undefined {
  switch (phrase.word(1)) {
    case "TABLE":
    case "INDEX":
    case "VIEW":
    case "TRIGGER":
      return undefined;
    case "UNIQUE":
      if (phrase.isWord(2, "INDEX")) return undefined;
      break;
    case "VIRTUAL":
      if (phrase.isWord(2, "TABLE")) return refusedModule(phrase);
      break;
    case "TEMP":
    case "TEMPORARY":
      // rule 16
      return phrase.refuse(
        1,
        "STATEMENT_REFUSED",
        `CREATE ${phrase.word(1)} is refused: a TEMP object would be seen by everyone who shares the connection`,
      );
  }
  return refuseThing(phrase, "CREATE", "TABLE, INDEX, UNIQUE INDEX, VIEW, TRIGGER or VIRTUAL TABLE");
}

/** CREATE VIRTUAL TABLE [IF NOT EXISTS] [schema.]name USING module … */
function refusedModule(phrase: Phrase): GateRefusal | undefined {
  const ifNotExists = phrase.isWord(3, "IF") && phrase.isWord(4, "NOT") && phrase.isWord(5, "EXISTS");
  const name = ifNotExists ? 6 : 3;
  const using = phrase.kind(name + 1) === "." ? name + 3 : name + 1;
  const module = phrase.isWord(using, "USING") ? phrase.name(using + 1) : undefined;
  if (module !== undefined && modules.has(folded(module))) return undefined;
  const place = module === undefined ? using : using + 1;
  const message = `a virtual table is made USING ${[...modules].join(" or ")} here, not ${phrase.shown(place)}`;
  return phrase.refuse(place, "STATEMENT_REFUSED", message);
}

function refuseThing(phrase: Phrase, verb: DefinitionVerb, things: string): GateRefusal {
  return phrase.refuse(1, "STATEMENT_REFUSED", `${verb} takes ${things} here, not ${phrase.shown(1)}`);
}
