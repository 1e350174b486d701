import { setTimeout as delay } from 'node:timers/promises';
import { named } from '../kit/waits.ts';

/**
 * Waits until `holds` is true of something that tells nobody when it changes, by looking again and again. Only for
 * facts that have no event to wait for; a test in which it never comes true ends at its time limit, naming `fact`.
 */
export async function eventually(fact: string, holds: () => boolean): Promise<void> {
  await named(fact, look());

  async function look(): Promise<void> {
    while (!holds()) await delay(2);
  }
}
