import type { CancelResult } from '../../src/tasks/cancel-task.ts';
import type { ProviderErrorCode } from '../../src/tasks/failure.ts';
import type { ValidationIssueCode } from '../../src/tasks/validate-input.ts';

type CannotCancelReason = Extract<CancelResult, { kind: 'too-late' }>['reason'];

const OPERATOR = 'Whoever runs the gateway:';
const FETCHABLE =
  'Give the address of the picture itself, one that anybody can open without signing in; or upload it.';

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
    NOT_FOUND: 'Nothing; where it comes again, look at https://kie.ai/logs.',
    PROVIDER_TIMEOUT: 'Send it again when `retryable` is true: the task is over and was not charged.',
    INVALID_INPUT: 'Change the input: `message` says what the provider did not like.',
    RATE_LIMITED: 'Send the same again later, with the same `idempotencyKey`.',
    QUOTA_EXCEEDED: `${OPERATOR} raise the spending limit of the key at https://kie.ai/api-key.`,
    MAINTENANCE: 'Send the same again later.',
    SERVER_ERROR: 'Send it again when `retryable` is true: the task is over and was not charged.',
    GENERATION_FAILED: 'Send it again when `retryable` is true, perhaps with another prompt or image.',
    FEATURE_DISABLED: 'Wait until the provider has switched the model on again.',
    UNREACHABLE: `Send the same again later. ${OPERATOR} \`kineograph doctor\` says why no connection can be made.`,
    UNKNOWN: 'Read `providerCode` and `message`; look at https://kie.ai/logs before you send it again.',
    SUBMISSION_UNKNOWN:
      'Look at https://kie.ai/logs, by time and prompt, whether the video is being made. Send it again only when it is not: it would be paid for twice.',
    EXPIRED:
      'Look at https://kie.ai/logs what became of it. The task still changes when the true answer comes.',
    CANCELLED: 'Nothing. The same may be sent again.',
  },
  ValidationIssueCode: {
    REQUIRED: 'Fill the field.',
    TOO_LONG: 'Shorten it.',
    NOT_A_URL: 'Write the whole address, from https:// on.',
    URL_SCHEME: 'Use an address that begins with https:// or http://.',
    URL_CREDENTIALS:
      'Take user and password out of the address; use one that needs none, such as a signed one.',
    INVALID_CHARACTERS: 'Take the characters out: NUL, and halves of characters outside of the basic plane.',
    IMAGE_UNREACHABLE: FETCHABLE,
    IMAGE_TYPE: 'Send a JPEG, PNG or WebP picture.',
    IMAGE_BROKEN: 'Export the image again: `message` says what is wrong with its header.',
    IMAGE_ANIMATED: 'Send a single picture.',
    IMAGE_TOO_LARGE: 'Make it smaller than 10 MB, for instance as JPEG.',
    IMAGE_TOO_SMALL: 'Take a picture of more than 300 pixels on each side.',
    IMAGE_TOO_MANY_PIXELS: 'Scale it down.',
    IMAGE_ASPECT_RATIO: 'Cut it to a shape between 2:5 and 5:2.',
  },
  CannotCancelReason: {
    ALREADY_SENT: 'Wait for its end; the video is paid for.',
    ALREADY_ENDED: 'Nothing.',
  },
};
