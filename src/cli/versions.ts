/** The version of this package; the build writes it into the bundle. */
export const holdfastVersion: string = process.env["HOLDFAST_VERSION"] ?? "0.0.0-development";
