import { StoreUnavailableError } from '../tasks/store.ts';

/** Runs a read; whatever goes wrong becomes a StoreUnavailableError. */
export async function available<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new StoreUnavailableError(error);
  }
}
