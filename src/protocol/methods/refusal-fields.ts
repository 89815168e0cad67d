/** A refusal where it stands inside of something else. */
import { outcomes } from "../../terms/index.js";
import * as is from "../schema.js";

export const refusalData = is.ObjectOf({
  code: is.Text({ description: "The fixed upper-case word" }),
  retryable: is.Flag({ description: "Whether the same request may succeed later" }),
  outcome: is.OneOf(
    outcomes,
    "none: surely not applied; partial: of a script that is not atomic as many statements as `details.applied` says; unknown: nobody can tell",
  ),
  details: is.RecordOf(is.Unknown(), "What the code speaks of"),
});
