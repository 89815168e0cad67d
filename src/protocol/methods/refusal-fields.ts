/** A refusal where it stands inside of something else. */
import * as is from "../schema.js";

export const refusalData = is.ObjectOf({
  code: is.Text({ description: "The fixed upper-case word" }),
  retryable: is.Flag({ description: "Whether the same request may succeed later" }),
  outcome: is.OneOf(["none", "unknown"], "none: surely not applied; unknown: nobody can tell"),
  details: is.RecordOf(is.Unknown(), "What the code speaks of"),
});
