import type { VideoStorage } from './storage.ts';
export function openS3Storage(_: object): Promise<VideoStorage> {
  return Promise.reject(new Error('no'));
}
