/**
 * The doors of the broker: accept, check, hand bytes on. Nothing here knows a method, a session or a clock; what must
 * happen from time to time happens in `look`, which somebody with a clock calls once a second.
 */
export { Admission, type AdmissionCounts } from "./admission.js";
export type { AfterInput } from "./chances.js";
export type { Link, LinkHandlers, Log, Purpose } from "./link.js";
export { checkPrivateDirectory, makePrivateDirectory, openParent, syncDirectory } from "./private-directory.js";
export { Transport, type TransportOptions } from "./transport.js";
export { type PublishOptions, publishUnixSocket, UnixSocket } from "./unix.js";
export { purposeHeader } from "./upgrade.js";
export { lookMs } from "./websocket.js";
