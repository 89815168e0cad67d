/**
 * The housekeeping of a good background process: what can be set, one instance, directories, signals, readiness, the
 * log, leaving when nobody is there. It starts the front and opens the doors; it decides nothing about locks or data.
 */
export type { ServeOptions } from "./config.js";
export { serve } from "./serve.js";
