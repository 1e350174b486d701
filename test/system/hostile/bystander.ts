/**
 * A program with a valid key that keeps asking a gateway for one task and for its health. It prints a line for each
 * answer: when it asked, how many ms the answer took, how many ms too late its own last timer was, and what was wrong
 * with the answer, if anything.
 */
import { setTimeout as delay } from 'node:timers/promises';

const [url = '', key = '', id = ''] = process.argv.slice(1);
const HEADERS = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
const body = JSON.stringify({ query: 'query Ask($id: ID!) { task(id: $id) { id } }', variables: { id } });
const WANTED = [
  { path: '/graphql', init: { method: 'POST', headers: HEADERS, body }, holds: id },
  { path: '/health', init: {}, holds: '"ok"' },
];
/** Between two questions: a few hundred in a second are no load of their own. */
const PAUSE_MS = 5;

let lateness = 0;
for (let turn = 0; ; turn += 1) {
  const { holds, init, path } = WANTED[turn % 2] ?? { path: '', init: {}, holds: '' };
  const at = Date.now();
  const begun = performance.now();
  const trouble = await ask(path, init, holds);
  const ended = performance.now();
  process.stdout.write(`${at} ${(ended - begun).toFixed(1)} ${lateness.toFixed(1)} ${trouble}\n`);
  await delay(PAUSE_MS);
  lateness = performance.now() - ended - PAUSE_MS;
}

/** What is wrong with the answer; empty when nothing is. */
async function ask(path: string, init: RequestInit, holds: string): Promise<string> {
  try {
    const answer = await fetch(url + path, init);
    const text = await answer.text();
    return answer.ok && text.includes(holds) ? '' : `${path} answers ${answer.status} ${text.slice(0, 200)}`;
  } catch (error) {
    return `${path} cannot be asked: ${String(error)}`;
  }
}
