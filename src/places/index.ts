/** Where a broker's files, socket and log lie: pure path arithmetic, the same for the broker and for whom it serves. */
export { type Endpoint, type EndpointChoice, endpointFor, parseEndpoint } from "./endpoint.js";
export { environmentWith } from "./environment.js";
export { movedName, type Places, placeIn, placesFor, type Surroundings } from "./places.js";
export { realPath } from "./real-path.js";
export { draftNameBytesMax, socketPath, socketPathBytes, socketPathBytesMax } from "./socket-path.js";
