/** Problems of an image at a URL or in an upload. */
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
  /** What is wrong and how to fix it. */
  readonly message: string;
}

/**
 * Checks the image at a URL; null if it is valid. Rejects with RATE_LIMITED for too many concurrent checks of one owner, with
 * SERVICE_UNAVAILABLE at once when the process is `stopping`, and with StoreUnavailableError.
 */
export type InspectImage = (owner: string, url: string, stopping: AbortSignal) => Promise<ImageIssue | null>;
