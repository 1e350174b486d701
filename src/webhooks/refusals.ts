/** Why a callback was not taken. */
export interface Refusal {
  /** The check that it did not pass. */
  readonly rung: string;
  readonly status: number;
  readonly detail: string;
  readonly hint: string;
  /** When to come back, in seconds. */
  readonly retryAfterS?: number;
}

/** None says which part of a secret was wrong. */
export const REFUSALS = {
  method: refusal('method', 405, 'Callbacks are posted.', 'Send a POST request.'),
  path: refusal(
    'path',
    404,
    'There is no such callback address.',
    'Call the callBackUrl exactly as it was given.',
  ),
  token: refusal(
    'token',
    401,
    'This is not the callback address of a task.',
    'Call the callBackUrl exactly as it was given.',
  ),
  size: refusal(
    'size',
    413,
    'The body is larger than 256 KiB.',
    'Send the callback as the provider documents it.',
  ),
  encoding: refusal(
    'encoding',
    415,
    'The body has an encoding that is not supported.',
    'Send it without Content-Encoding, or with gzip, deflate or br.',
  ),
  brokenEncoding: refusal(
    'encoding',
    400,
    'The body cannot be decoded.',
    'Send a body that is encoded as Content-Encoding says, or leave out that header.',
  ),
  mediaType: refusal('media-type', 415, 'The body is not JSON.', 'Send JSON, as application/json.'),
  empty: refusal('json', 400, 'The body is empty.', 'Send the callback as JSON.'),
  json: refusal('json', 400, 'The body is not valid JSON.', 'Send JSON in UTF-8, whole.'),
  envelope: refusal(
    'envelope',
    400,
    'The body is JSON, but not a callback.',
    'Send a JSON object with a numeric code and data.',
  ),
  noId: refusal('no-id', 400, 'The body names no task.', "Send the provider's task id as data.taskId."),
  differentIds: refusal('different-ids', 409, 'The body names more than one task.', 'Send one task id.'),
  signature: refusal(
    'signature',
    401,
    'The signature is missing, wrong or stale.',
    'Check that KIE_WEBHOOK_HMAC_KEYS holds the webhookHmacKey of the kie.ai settings page, and both clocks.',
  ),
  tooManyWrong: refusal(
    'too-many-wrong',
    429,
    'Too many wrong tokens or signatures came from this address.',
    'Call the callBackUrl exactly as it was given; a right callback is taken at once.',
  ),
  task: refusal('unknown-task', 404, 'There is no such task.', 'Nothing needs to be sent for it.'),
  otherTask: refusal(
    'other-task',
    409,
    'The task is known under another provider id.',
    'Nothing needs to be sent for this one.',
  ),
  store: { ...refusal('store', 503, 'The callback could not be stored.', 'Send it again.'), retryAfterS: 5 },
} as const;

/** The `code` of the problem details that answer a refused callback, such as `CALLBACK_UNKNOWN_TASK`. */
export function codeOf({ rung }: Refusal): string {
  return `CALLBACK_${rung.replaceAll('-', '_').toUpperCase()}`;
}

function refusal(rung: string, status: number, detail: string, hint: string): Refusal {
  return { rung, status, detail, hint };
}

/** What became of a callback, and the status that it was answered with. */
export interface CallbackResult {
  /** Whether it changed its task, or the rung that ended it. */
  readonly result: string;
  readonly status: number;
}

/** What nobody foresaw; the log has it. */
export const UNEXPECTED: CallbackResult = { result: 'error', status: 500 };

/** Every result that there is, once. */
export const CALLBACK_RESULTS: readonly CallbackResult[] = [
  { result: 'applied', status: 200 },
  { result: 'noted', status: 200 },
  UNEXPECTED,
  ...Object.values<Refusal>(REFUSALS)
    .filter((one, index, all) => index === all.findIndex((other) => isSameResult(one, other)))
    .map(({ rung, status }) => ({ result: rung, status })),
];

function isSameResult(one: Refusal, other: Refusal): boolean {
  return one.rung === other.rung && one.status === other.status;
}
