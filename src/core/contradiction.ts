/** Two things that the ledger says cannot both be so: it was not written by this program, or by one with a fault. */
export class Contradiction extends Error {}
