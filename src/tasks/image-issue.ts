/** What can be wrong with a picture that a URL leads to, or that is uploaded. */
export const IMAGE_ISSUE_CODES = [
  'IMAGE_UNREACHABLE',
  'IMAGE_TYPE',
  'IMAGE_BROKEN',
  'IMAGE_ANIMATED',
  'IMAGE_TOO_LARGE',
  'IMAGE_TOO_SMALL',
  'IMAGE_TOO_MANY_PIXELS',
  'IMAGE_ASPECT_RATIO',
] as const;

export type ImageIssueCode = (typeof IMAGE_ISSUE_CODES)[number];

export interface ImageIssue {
  readonly code: ImageIssueCode;
  /** What is wrong and how to mend it, in whole sentences about "the picture". */
  readonly message: string;
}

/**
 * Looks at the picture that a URL leads to, for an owner; null when nothing speaks against it. Rejects with RATE_LIMITED when
 * the owner has too many looked at already, with SERVICE_UNAVAILABLE at once when the process is `stopping`, and when the
 * store fails.
 */
export type InspectImage = (owner: string, url: string, stopping: AbortSignal) => Promise<ImageIssue | null>;
