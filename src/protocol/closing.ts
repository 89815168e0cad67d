/** Why a WebSocket is closed: the codes that both sides use, and what the other side is to make of each. */

export const closings = {
  goingAway: { code: 1001, meaning: "the client has no more to ask" },
  wrongKind: { code: 1003, meaning: "a binary frame on the JSON subprotocol, or a text frame on the MessagePack one" },
  misbehaved: {
    code: 1008,
    meaning:
      "ten frames in ten seconds that are no request and no notification: unreadable, too deep, an array, an id that is none; over 1,000 pings in a second; a lock.watch with too much to be shown",
  },
  tooLarge: { code: 1009, meaning: "a frame over the limit frameBytesMax" },
  restarting: { code: 1012, meaning: "the broker is ending or being replaced: connect again and resume" },
  slowConsumer: {
    code: 1013,
    meaning: "the client does not read what it asked for: connect again, resume, read faster",
  },
  helloTimeout: {
    code: 4408,
    meaning:
      "no session.hello came within helloMs, or in time where others came for the place, or a message was begun and not finished: connect again",
  },
  sessionTaken: { code: 4409, meaning: "another connection speaks for the session: do not connect again by yourself" },
} as const;

export type Closing = keyof typeof closings;
