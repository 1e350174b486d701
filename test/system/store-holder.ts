/**
 * A program that opens the embedded store in the directory that it is given and keeps writing tasks to it until it is
 * killed. Prints one line of JSON, with id and revision, for each task whose write was acknowledged.
 */
import { openSqliteStore } from '../kit/store.ts';
import { insertVisible } from '../store/records.ts';

const [dataDir = ''] = process.argv.slice(2);
const prefix = String(process.pid);
const store = await openSqliteStore(dataDir);

async function writeForever(worker: number): Promise<never> {
  for (let n = 0; ; n += 1) {
    const { id, revision } = await insertVisible(store, { id: `${prefix}-${worker}-${n}` });
    process.stdout.write(`${JSON.stringify({ id, revision })}\n`);
  }
}

await Promise.all([1, 2, 3, 4, 5].map(writeForever));
