/**
 * What the large requests of one connection take until they are answered: of small ones the number is bound enough, but a
 * thousand that wait for one slow write, each as large as a frame may be, would be more than there is memory.
 */
import type { RequestId } from "../terms/index.js";
import { UnansweredBytes } from "./unanswered-bytes.js";

/** From here on a request is large (bytes). */
const largeBytes = 64 * 1024;
/** What a connection may have asked for with them and not been answered; one more is read than fits (bytes). */
const bytesMax = 32 * 1024 * 1024;

export class LargeRequests {
  readonly #bytes = new UnansweredBytes(bytesMax);

  get full(): boolean {
    return this.#bytes.full;
  }

  get roomy(): boolean {
    return this.#bytes.roomy;
  }

  begun(request: RequestId, bytes: number): void {
    // A small one under the id of a large one counts with it.
    if (bytes >= largeBytes || this.#bytes.has(request)) this.#bytes.begun(request, bytes);
  }

  answered(request: RequestId): void {
    this.#bytes.answered(request);
  }
}
