import type { Upload } from '../../src/images/upload.ts';
import { NOW } from './records.ts';

/** An upload that a store may hold. */
export function upload(fields: Partial<Upload> = {}): Upload {
  return {
    url: 'https://files.example/kineograph/1.png',
    expiresAt: NOW + 1000,
    contentType: 'image/png',
    width: 400,
    height: 320,
    bytes: 12_345,
    hash: 'hash-1',
    ...fields,
  };
}
