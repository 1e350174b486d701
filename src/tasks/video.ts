/** A video of the provider. */
export interface Video {
  /** The provider's URL. */
  readonly url: string;
  /** When the provider may delete it, in ms since the epoch; null if unknown. */
  readonly expiresAt: number | null;
  /** What became of the gateway's own copy; absent before the first attempt. */
  readonly copy?: VideoCopy;
}

/** Facts about a stored copy. */
export interface StoredVideo {
  /** In hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  readonly durationSeconds: number;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** In ms since the epoch. */
  readonly storedAt: number;
}

export type VideoCopy =
  /** Not stored yet, after so many failed attempts. */
  | { readonly state: 'PENDING'; readonly attempts: number; readonly reason: string }
  | ({ readonly state: 'STORED' } & StoredVideo)
  /** It could not be had before the provider deleted it. */
  | { readonly state: 'LOST'; readonly reason: string }
  /** Deleted by a setting. */
  | ({ readonly state: 'DELETED' } & StoredVideo);

/** Whether a copy of the video is still to be made. */
export function isToCopy({ copy }: Video): boolean {
  return copy === undefined || copy.state === 'PENDING';
}

/** What clients are told about copies. */
export interface VideoArchive {
  /** The gateway's URL of a video, which never changes. */
  urlOf(taskId: string, place: number): string;
  /** How long copies are kept, in ms; null for as long as their tasks. */
  readonly keepMs: number | null;
}
