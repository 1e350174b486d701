import type { ProviderErrorCode } from '../tasks/failure.ts';
import { builder } from './builder.ts';
import { enumValues } from './enum-values.ts';

export const ProviderErrorCodeEnum = builder.enumType('ProviderErrorCode', {
  description:
    'Everything that the provider can refuse or fail with, in one vocabulary; the numbers are its own codes.',
  values: enumValues<ProviderErrorCode>({
    UNAUTHORIZED: "401: the gateway's key is missing, wrong or not allowed. The operator must mend it.",
    INSUFFICIENT_CREDITS: "402: the operator's account has too few credits.",
    NOT_FOUND: '404: the provider does not know what was asked for.',
    PROVIDER_TIMEOUT: '408: the provider got no result in time.',
    INVALID_INPUT: '400 or 422: the provider rejected the input; change it before you try again.',
    RATE_LIMITED: '429: too many requests, or too many tasks wait here already. Try again later.',
    QUOTA_EXCEEDED: "433: the key's spending limit is reached.",
    MAINTENANCE: '455: the provider is under maintenance. Try again later.',
    SERVER_ERROR: '500: something went wrong at the provider.',
    GENERATION_FAILED: '501 or 531: the generation failed and is not charged. Trying again may help.',
    FEATURE_DISABLED: '505: the provider has switched this model off.',
    UNREACHABLE: 'No connection to the provider could be made. Try again later.',
    SUBMISSION_UNKNOWN:
      'The answer to the create call was lost and no callback came: it may have been charged. Look at the ' +
      "provider's log before you try again.",
    EXPIRED: 'No final state came within the deadline. The video may still come, and may have been charged.',
    CANCELLED: 'Cancelled by `cancelTask` before it was sent: nothing was charged.',
    UNKNOWN: 'Anything else; `providerCode` and `message` carry what the provider said.',
  }),
});
