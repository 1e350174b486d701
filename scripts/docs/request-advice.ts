import type { RequestError } from '../../src/tasks/failure.ts';

/** Codes of refusals before an operation or upload begins. */
type AccessCode = 'UNAUTHENTICATED' | 'RATE_LIMITED' | 'SERVICE_UNAVAILABLE';

/** Codes that are written where they are used; a test looks for ones that are missing here. */
type OtherCode =
  | 'OPERATION_TOO_LARGE'
  | 'TOO_MANY_SUBSCRIPTIONS'
  | 'OPERATION_RESOLUTION_FAILURE'
  | 'PERSISTED_QUERY_NOT_SUPPORTED'
  | 'INTERNAL_SERVER_ERROR'
  | 'GRAPHQL_PARSE_FAILED'
  | 'GRAPHQL_VALIDATION_FAILED'
  | 'BAD_REQUEST';

export interface Advice {
  /** The status over HTTP, where the whole request is refused. */
  readonly http: string;
  readonly meaning: string;
  readonly todo: string;
}

/** `extensions.code` of the errors of a request. */
export const REQUEST_ADVICE: Readonly<Record<RequestError['code'] | AccessCode | OtherCode, Advice>> = {
  BAD_USER_INPUT: {
    http: '200 or 400',
    meaning:
      'An argument or variable has a wrong type or is out of range, or a cursor or revision is unknown.',
    todo: 'Change it: the message says what is expected.',
  },
  NOT_FOUND: {
    http: '200',
    meaning: 'There is no such task, or it is not yours.',
    todo: 'Check the id, and with whose key you ask.',
  },
  UNAUTHENTICATED: {
    http: '401',
    meaning: 'The key or token is missing, unknown, malformed or expired.',
    todo: 'Send `Authorization: Bearer <key or token>`; with a token that has expired, a new one.',
  },
  RATE_LIMITED: {
    http: '429',
    meaning:
      'More requests, operations, creates or image checks than allowed, too many waiting tasks, more than 16 MiB of waiting request bodies of this owner, or too many wrong keys or tokens from this address.',
    todo: 'Retry after `extensions.retryAfter` seconds.',
  },
  TOO_MANY_SUBSCRIPTIONS: {
    http: '429',
    meaning: 'More operations run on this socket, or more sockets and streams are open, than allowed.',
    todo: 'Complete some, or follow all tasks with one `tasksUpdated`.',
  },
  OPERATION_TOO_LARGE: {
    http: '400',
    meaning:
      'The operation is deeper, longer, has more aliases or directives, or asks for more items than allowed.',
    todo: 'Split it. Whoever runs the gateway can raise `MAX_DEPTH`, `MAX_ALIASES`, `MAX_DIRECTIVES`, `MAX_TOKENS`, `MAX_LIST_ITEMS`.',
  },
  OPERATION_RESOLUTION_FAILURE: {
    http: '400',
    meaning: 'The document has several operations, or none of the given name.',
    todo: 'Name one of the operations of the document as `operationName`.',
  },
  GRAPHQL_PARSE_FAILED: {
    http: '400',
    meaning: 'The document is not GraphQL.',
    todo: 'Fix the syntax at the place that `locations` names.',
  },
  GRAPHQL_VALIDATION_FAILED: {
    http: '400',
    meaning: 'The document does not match the schema.',
    todo: 'Compare it with `schema.graphql`.',
  },
  BAD_REQUEST: {
    http: '400, 404 to 406, 413, 415, 421 or 426',
    meaning:
      'The request violates GraphQL over HTTP: its URL, host, method, media type, body or parameters; a mutation by GET; or a subscription that accepts no event stream.',
    todo: 'Follow `extensions.hint`. Post JSON with `query` and, where needed, `variables` and `operationName`; one operation at a time.',
  },
  PERSISTED_QUERY_NOT_SUPPORTED: {
    http: '200',
    meaning: 'Only the hash of an operation was sent.',
    todo: 'Send its text as `query`. Clients of Apollo and urql do so by themselves.',
  },
  SERVICE_UNAVAILABLE: {
    http: '503, or 200 with data of other fields',
    meaning:
      'The store or the issuer of tokens is unreachable, the SQLite file was deleted or replaced (see the log), or the gateway is overloaded or stopping.',
    todo: 'Retry after some seconds, creates with the same `idempotencyKey`.',
  },
  INTERNAL_SERVER_ERROR: {
    http: '200 or 500',
    meaning: 'A bug. The log of the gateway says more.',
    todo: 'Report it. Creates may be sent again with the same `idempotencyKey`.',
  },
};

/** `code` of the problem details that `POST /uploads` answers with, beside those of ValidationIssueCode. */
export const UPLOAD_ADVICE: Readonly<
  Record<AccessCode | 'FORBIDDEN_ORIGIN' | 'PROVIDER_REFUSED' | 'UPLOAD_TOO_SLOW', Advice>
> = {
  UNAUTHENTICATED: REQUEST_ADVICE.UNAUTHENTICATED,
  RATE_LIMITED: {
    ...REQUEST_ADVICE.RATE_LIMITED,
    meaning: 'More requests than allowed, or half of `MAX_UPLOADS` are uploads of the same owner.',
    todo: 'Retry after `Retry-After` seconds.',
  },
  FORBIDDEN_ORIGIN: {
    http: '403',
    meaning: 'A web page of another origin uploads.',
    todo: 'Whoever runs the gateway can name the origin in `ALLOWED_ORIGINS`.',
  },
  UPLOAD_TOO_SLOW: {
    http: '408',
    meaning: 'Less than 5 KiB of the image arrived within 5 seconds.',
    todo: 'Send it again over a faster connection, or scale it down.',
  },
  PROVIDER_REFUSED: {
    http: '502',
    meaning: 'The provider rejected the image.',
    todo: 'Try another image. If the provider rejects all images, see the log of the gateway.',
  },
  SERVICE_UNAVAILABLE: {
    http: '503',
    meaning:
      'Too many concurrent uploads, the gateway is overloaded, or the provider, the store or the issuer of tokens is unreachable.',
    todo: 'Retry after `Retry-After` seconds.',
  },
};

/** `code` of the problem details that `/videos/` answers with. */
export const VIDEO_ADVICE = {
  NOT_FOUND: {
    http: '404',
    meaning: 'There is no such video, or the URL is not the whole one.',
    todo: 'Query the task for the current URLs of its videos.',
  },
  VIDEO_LOST: {
    http: '410',
    meaning: 'The video could not be copied before the provider deleted it.',
    todo: 'Create the video again.',
  },
  VIDEO_DELETED: {
    http: '410',
    meaning: 'The copy was deleted because of `ARCHIVE_KEEP_DAYS` or `ARCHIVE_MAX_BYTES`.',
    todo: 'Create the video again. Whoever runs the gateway can change these settings.',
  },
  VIDEO_MISSING: {
    http: '404',
    meaning: 'The copy is missing in the storage.',
    todo: 'Tell whoever runs the gateway.',
  },
  RATE_LIMITED: {
    http: '429',
    meaning: 'Too many wrong URLs came from this address.',
    todo: 'Retry after `Retry-After` seconds.',
  },
} as const satisfies Readonly<Record<string, Advice>>;
