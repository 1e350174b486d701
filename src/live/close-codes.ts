/** RFC 6455's registry: "try again later". graphql-ws clients come back after it. */
export const TRY_AGAIN_LATER = 1013;
/** The same registry: "service restart". They come back after it as well. */
export const SERVICE_RESTART = 1012;
/** RFC 6455: "going away". And after this. */
export const GOING_AWAY = 1001;
