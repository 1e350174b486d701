import type { Kysely, Selectable } from 'kysely';
import type { Upload, UploadStore } from '../images/upload.ts';
import type { Database, UploadTable } from './schema.ts';
import { storeRead } from './statements.ts';
import type { WriterQueue } from './writer-queue.ts';

export function createUploads(db: Kysely<Database>, queue: WriterQueue): UploadStore {
  return {
    findUpload: (owner, hash, until) =>
      storeRead(async () => {
        const row = await db
          .selectFrom('uploads')
          .selectAll()
          .where('owner', '=', owner)
          .where('hash', '=', hash)
          .where('expires_at', '>', until)
          .executeTakeFirst();
        return row ? toUpload(row) : null;
      }),

    uploadAt: (url, until) =>
      storeRead(async () => {
        const row = await db
          .selectFrom('uploads')
          .selectAll()
          .where('url', '=', url)
          .where('expires_at', '>', until)
          .limit(1)
          .executeTakeFirst();
        return row ? toUpload(row) : null;
      }),

    saveUpload: (owner, { contentType, expiresAt, ...upload }) =>
      queue.write({}, async ({ trx }) => {
        const columns = { ...upload, content_type: contentType, expires_at: expiresAt };
        await trx
          .insertInto('uploads')
          .values({ owner, ...columns })
          .onConflict((conflict) => conflict.columns(['owner', 'hash']).doUpdateSet(columns))
          .execute();
      }),
  };
}

function toUpload(row: Selectable<UploadTable>): Upload {
  const { bytes, content_type: contentType, hash, height, url, width } = row;
  return { bytes, contentType, expiresAt: Number(row.expires_at), hash, height, url, width };
}
