/**
 * The command line: words in, results on stdout, comments on stderr, an exit code. Nobody imports it; the process
 * begins in cli.main.ts.
 *
 *   cli.main.ts ─► program.ts ─► commands/<name>.ts ─► reach.ts ─► the library ─► a broker
 *                  (finds, parses,   (loaded when       (started if none
 *                   complains)        called)            runs and that is allowed)
 *
 * Absent, on purpose: the protocol, SQL (only the broker reads it), and SQLite, except in demo/direct.ts, whose whole
 * purpose is the comparison; the daemon, except in commands/serve.ts.
 */
export {};
