/** Why a callback was not taken. */
export interface Refusal {
  readonly status: number;
  readonly detail: string;
  readonly hint: string;
}

/** None says which part of a secret was wrong. */
export const REFUSALS = {
  method: refusal(405, 'Callbacks are posted.', 'Send a POST request.'),
  path: refusal(404, 'There is no such callback address.', 'Call the callBackUrl exactly as it was given.'),
  token: refusal(
    401,
    'This is not the callback address of a task.',
    'Call the callBackUrl exactly as it was given.',
  ),
  size: refusal(413, 'The body is larger than 256 KiB.', 'Send the callback as the provider documents it.'),
  mediaType: refusal(415, 'The body is not declared as JSON.', 'Send Content-Type: application/json.'),
  envelope: refusal(400, 'The body is not a callback.', 'Send a JSON object with a numeric code and data.'),
  noId: refusal(400, 'The body names no task.', "Send the provider's task id as data.taskId."),
  differentIds: refusal(409, 'The body names more than one task.', 'Send one task id.'),
  signature: refusal(
    401,
    'The signature is missing, wrong or stale.',
    'Check that KIE_WEBHOOK_HMAC_KEYS holds the webhookHmacKey of the kie.ai settings page, and both clocks.',
  ),
  task: refusal(404, 'There is no such task.', 'Nothing needs to be sent for it.'),
  otherTask: refusal(
    409,
    'The task is known under another provider id.',
    'Nothing needs to be sent for this one.',
  ),
  store: refusal(503, 'The callback could not be stored.', 'Send it again.'),
} as const;

function refusal(status: number, detail: string, hint: string): Refusal {
  return { status, detail, hint };
}
