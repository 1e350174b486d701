import type { CancelResult } from '../../src/tasks/cancel.ts';
import type { ProviderErrorCode } from '../../src/tasks/failure.ts';
import type { ValidationIssueCode } from '../../src/tasks/validate-input.ts';

type CannotCancelReason = Extract<CancelResult, { kind: 'too-late' }>['reason'];

const OPERATOR = 'Whoever runs the gateway:';
const FETCHABLE =
  'Give the URL of the image itself, which must open without signing in; or upload the image.';

/**
 * What to do about each value of the schema's enums that stand for errors; what the values mean is said in the schema. A
 * value that is missing does not compile.
 */
export const ENUM_ADVICE: {
  readonly ProviderErrorCode: Readonly<Record<ProviderErrorCode, string>>;
  readonly ValidationIssueCode: Readonly<Record<ValidationIssueCode, string>>;
  readonly CannotCancelReason: Readonly<Record<CannotCancelReason, string>>;
} = {
  ProviderErrorCode: {
    UNAUTHORIZED: `${OPERATOR} set the key from https://kie.ai/api-key as \`KIE_API_KEY\` and restart. \`kineograph doctor\` tries it.`,
    INSUFFICIENT_CREDITS: `${OPERATOR} buy credits at https://kie.ai/billing; then send the same again.`,
    NOT_FOUND: 'Nothing. If it happens again, look at https://kie.ai/logs.',
    PROVIDER_TIMEOUT: 'Send it again when `retryable` is true: the task is over and was not charged.',
    INVALID_INPUT: 'Change the input: `message` says what the provider rejected.',
    RATE_LIMITED: 'Send the same again later, with the same `idempotencyKey`.',
    QUOTA_EXCEEDED: `${OPERATOR} raise the spending limit of the key at https://kie.ai/api-key.`,
    MAINTENANCE: 'Send the same again later.',
    SERVER_ERROR: 'Send it again when `retryable` is true: the task is over and was not charged.',
    GENERATION_FAILED: 'Send it again when `retryable` is true, perhaps with another prompt or image.',
    FEATURE_DISABLED: 'Wait until the provider has switched the model on again.',
    MODEL_UNAVAILABLE: `Query \`models\` and take one of those. ${OPERATOR} \`MODELS\` lists what is offered.`,
    UNREACHABLE: `Send the same again later. ${OPERATOR} \`kineograph doctor\` says why the connection fails.`,
    UNKNOWN: 'Read `providerCode` and `message`; look at https://kie.ai/logs before you send it again.',
    SUBMISSION_UNKNOWN:
      'Look at https://kie.ai/logs, by time and prompt, whether the task exists. Send it again only if it does not: otherwise you pay twice.',
    EXPIRED:
      'Look up the outcome at https://kie.ai/logs. The task still changes when the true final state arrives.',
    CANCELLED: 'Nothing. The same may be sent again.',
  },
  ValidationIssueCode: {
    REQUIRED: 'Fill the field.',
    TOO_SHORT: 'Write more.',
    TOO_LONG: 'Shorten it.',
    NOT_A_URL: 'Write the whole URL, including https://.',
    URL_SCHEME: 'Use a URL that begins with https:// or http://.',
    URL_CREDENTIALS:
      'Remove user name and password from the URL; use one that needs none, such as a signed URL.',
    INVALID_CHARACTERS: 'Remove NUL and unpaired surrogates.',
    NOT_SUPPORTED: 'Leave the field out, or take a model that has it.',
    NOT_ALLOWED: 'Take one of the values that `message` lists.',
    IMAGE_UNREACHABLE: FETCHABLE,
    IMAGE_TYPE: 'Convert it to one of the types that `message` names.',
    IMAGE_BROKEN: 'Export the image again: `message` says what is wrong with its header.',
    IMAGE_ANIMATED: 'Send a still image.',
    IMAGE_TOO_LARGE: 'Make it smaller than `message` says, for instance as JPEG.',
    IMAGE_TOO_SMALL: 'Use an image with at least as many pixels on each side as `message` says.',
    IMAGE_TOO_MANY_PIXELS: 'Scale it down.',
    IMAGE_ASPECT_RATIO: 'Crop it: `message` says how much longer one side may be.',
  },
  CannotCancelReason: {
    ALREADY_SENT: 'Wait for the result; the video is charged.',
    ALREADY_ENDED: 'Nothing.',
  },
};
