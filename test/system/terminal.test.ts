import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryDir } from '../kit/gateway.ts';
import { startBuilt, startOnTerminal } from '../kit/process.ts';

test('on a terminal it shows where to go, what answers and who may call, and Ctrl-C stops it', async () => {
  const DATA_DIR = await temporaryDir();
  const terminal = startOnTerminal({ PORT: '0', DATA_DIR });
  await terminal.line((line) => line.includes('Access'));

  const shown = stripVTControlCharacters(terminal.stdout()).replaceAll('\r', '');
  const origin = /GraphiQL +(http:\/\/127\.0\.0\.1:\d+)\/graphql\n/.exec(shown)?.[1] ?? '';
  for (const row of [
    `WebSocket +${origin.replace('http', 'ws')}/graphql`,
    `Callbacks +${origin}/webhooks/kie/{taskId}/{token}`,
    'Provider +sandbox at http://127\\.0\\.0\\.1:\\d+',
    'Nothing is charged\\. .*KIE_API_KEY.*',
    `Store +SQLite in ${DATA_DIR}`,
    'Access +open, loopback only',
  ]) {
    expect(shown).toMatch(new RegExp(`^ *${row}$`, 'm'));
  }
  expect(shown).not.toContain('{"level"');
  expect((await fetch(`${origin}/health`)).status).toBe(200);

  terminal.type('\u0003');
  expect(await terminal.exited).toEqual({ code: 0, signal: null });
});

test('closing its terminal stops it, too', async () => {
  const DATA_DIR = await temporaryDir();
  const terminal = startOnTerminal({ PORT: '0', DATA_DIR });
  await terminal.line((line) => line.includes('Access'));
  terminal.endInput();
  // With which code is not ours to say: some versions of Node.js crash at exit when their terminal is gone.
  await terminal.exited;
  await startBuilt({ DATA_DIR });
});
