/**
 * The words of the house: ids, time, limits, refusals, the error. Types, constants and checks on values; imports
 * nothing, knows nobody.
 */
export * from "./error.js";
export * from "./ids.js";
export * from "./limits.js";
export * from "./refusals.js";
export * from "./time.js";
