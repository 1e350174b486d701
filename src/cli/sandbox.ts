import closeWithGrace from 'close-with-grace';
import type { Writable } from 'node:stream';
import { startSandbox } from '../sandbox/sandbox.ts';
import { CRASH_SIGNALS, explainPort } from './serve.ts';

/** Runs the sandbox alone until SIGTERM or SIGINT. */
export async function runSandbox(
  port: number,
  env: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
): Promise<void> {
  const apiKey = env['KIE_API_KEY'] ?? '';
  const [hmacKey = ''] = (env['KIE_WEBHOOK_HMAC_KEYS'] ?? '').split(',').map((key) => key.trim());
  const sandbox = await startSandbox({
    port,
    hmacKey,
    ...(apiKey !== '' && { apiKey }),
    log: (message, details) => stdout.write(`${message}${details ? ` ${JSON.stringify(details)}` : ''}\n`),
  }).catch(explainPort('127.0.0.1', port, `--port ${port + 1}, or --port 0 for any`));
  closeWithGrace({ skip: [...CRASH_SIGNALS] }, () => sandbox.close());
  stdout.write(
    `The sandbox listens on ${sandbox.url}; callbacks are ${hmacKey === '' ? 'not signed' : 'signed'}.\n`,
  );
}
