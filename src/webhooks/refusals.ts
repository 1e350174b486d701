import { refusal, type Refusal } from '../limits/refusal.ts';

const CODE = 'CALLBACK_';

/** Why a callback is not accepted. `check` names the failed check in the code, and as the result in metrics and logs. */
function refused(check: string, status: number, message: string, hint: string): Refusal {
  return refusal(status, message, hint, { code: CODE + check.replaceAll('-', '_').toUpperCase() });
}

const AS_GIVEN = 'Call the callBackUrl exactly as it was given.';

/** No message says which part of a secret was wrong. */
export const REFUSALS = {
  method: {
    ...refused('method', 405, 'Callbacks are posted.', 'Send a POST request.'),
    headers: { Allow: 'POST' },
  },
  path: refused('path', 404, 'There is no such callback address.', AS_GIVEN),
  token: refused('token', 401, 'This is not the callback address of a task.', AS_GIVEN),
  size: refused(
    'size',
    413,
    'The body is larger than 256 KiB.',
    'Send the callback as the provider documents it.',
  ),
  encoding: refused(
    'encoding',
    415,
    'The body has an encoding that is not supported.',
    'Send it without Content-Encoding, or with gzip, deflate or br.',
  ),
  brokenEncoding: refused(
    'encoding',
    400,
    'The body cannot be decoded.',
    'Send a body that is encoded as Content-Encoding says, or leave out that header.',
  ),
  mediaType: refused('media-type', 415, 'The body is not JSON.', 'Send JSON, as application/json.'),
  empty: refused('json', 400, 'The body is empty.', 'Send the callback as JSON.'),
  json: refused('json', 400, 'The body is not valid JSON.', 'Send JSON in UTF-8, whole.'),
  envelope: refused(
    'envelope',
    400,
    'The body is JSON, but not a callback.',
    'Send a JSON object with a numeric code and data.',
  ),
  noId: refused('no-id', 400, 'The body names no task.', "Send the provider's task id as data.taskId."),
  differentIds: refused('different-ids', 409, 'The body names more than one task.', 'Send one task id.'),
  signature: refused(
    'signature',
    401,
    'The signature is missing, wrong or stale.',
    'Check that KIE_WEBHOOK_HMAC_KEYS holds the webhookHmacKey of the kie.ai settings page, and both clocks.',
  ),
  tooManyWrong: refused(
    'too-many-wrong',
    429,
    'Too many wrong tokens or signatures came from this address.',
    'Call the callBackUrl exactly as it was given; a right callback is taken at once.',
  ),
  task: refused('unknown-task', 404, 'There is no such task.', 'Nothing needs to be sent for it.'),
  otherTask: refused(
    'other-task',
    409,
    'The task is known under another provider id.',
    'Nothing needs to be sent for this one.',
  ),
  store: { ...refused('store', 503, 'The callback could not be stored.', 'Send it again.'), retryAfter: 5 },
} satisfies Readonly<Record<string, Refusal>>;

/** What became of a callback, and the status of its response. */
export interface CallbackResult {
  /** `applied` or `noted`, or the name of the check that failed. */
  readonly result: string;
  readonly status: number;
}

export function resultOf({ code = '', status }: Refusal): CallbackResult {
  return { result: code.slice(CODE.length).toLowerCase().replaceAll('_', '-'), status };
}

/** An error that only the log explains. */
export const UNEXPECTED: CallbackResult = { result: 'error', status: 500 };

/** Every possible result, once. */
export const CALLBACK_RESULTS: readonly CallbackResult[] = [
  { result: 'applied', status: 200 },
  { result: 'noted', status: 200 },
  UNEXPECTED,
  ...new Map(
    Object.values(REFUSALS).map((one) => [`${one.code} ${one.status}`, resultOf(one)] as const),
  ).values(),
];
