import type { Picture } from './picture.ts';

/** A picture that lies with the provider. */
export interface Upload extends Picture {
  /** Where the provider, and everybody else, finds it. */
  readonly url: string;
  /** Until when it can be counted on, in ms since the epoch. */
  readonly expiresAt: number;
  readonly bytes: number;
  /** Equal for equal bytes: SHA-256 in base64url. */
  readonly hash: string;
}

/** Which pictures lie with the provider. Every method rejects with StoreUnavailableError. */
export interface UploadStore {
  /** The owner's upload of these bytes that stays until then; null when there is none. */
  findUpload(owner: string, hash: string, until: number): Promise<Upload | null>;
  /** Whether an address is that of an upload, whosoever, that stays until then. */
  isUploaded(url: string, until: number): Promise<boolean>;
  /** Keeps an upload in place of the owner's earlier one of the same bytes. */
  saveUpload(owner: string, upload: Upload): Promise<void>;
}

/** Where pictures are uploaded to: the provider's own service. */
export interface PictureHost {
  /** Stores a picture under a name that no other has. Rejects for nothing that the network or the service does. */
  store(file: PictureFile): Promise<HostAnswer>;
}

export interface PictureFile extends Pick<Upload, 'contentType' | 'bytes'> {
  /** Its bytes from the beginning; asked for anew at each try. */
  read(): AsyncIterable<Buffer>;
}

export type HostAnswer =
  | { readonly kind: 'stored'; readonly url: string }
  /** It said no, and would again. */
  | { readonly kind: 'refused'; readonly message: string }
  /** It said nothing that helps; the same may work later. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number | null };
