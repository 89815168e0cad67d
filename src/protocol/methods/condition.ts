/**
 * When a statement of a batch runs, by what became of those before it: `{ ok: 0 }`, `{ error: 0 }`, `{ not: … }`,
 * `{ and: [ … ] }`, `{ or: [ … ] }`. One that was passed over is neither ok nor an error.
 */
export type Condition =
  | { readonly ok: number }
  | { readonly error: number }
  | { readonly not: Condition }
  | { readonly and: readonly Condition[] }
  | { readonly or: readonly Condition[] };
