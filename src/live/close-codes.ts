/** RFC 6455's registry: "try again later". graphql-ws clients come back after it. */
export const TRY_AGAIN_LATER = 1013;
