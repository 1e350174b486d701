/** RFC 6455: "going away". graphql-ws clients come back after it. */
export const GOING_AWAY = 1001;
/** RFC 6455: "the message is too big to process". graphql-ws clients give up after it. */
export const MESSAGE_TOO_BIG = 1009;
/** "Service restart", in IANA's registry. graphql-ws clients come back after it. */
export const SERVICE_RESTART = 1012;
/** "Try again later", in IANA's registry. graphql-ws clients come back after it. */
export const TRY_AGAIN_LATER = 1013;

/** RFC 6455, 5.5: what a close frame holds besides its code. ws throws when a reason is longer. */
const MAX_REASON_BYTES = 123;

/** A reason that fits into a close frame: visible ASCII, cut where it is too long. */
export function closeReason(text: string): string {
  return text.slice(0, MAX_REASON_BYTES).replace(/[^\x20-\x7e]/g, '?');
}
