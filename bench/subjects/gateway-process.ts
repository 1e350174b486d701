import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startNode, type Child } from '../support/processes.ts';
import { profileArguments, type Profile } from '../support/profile.ts';
import { answersOnce } from './peer.ts';

export interface GatewayProcess {
  readonly child: Child;
  readonly port: number;
  /** From its start to the first answered query. */
  readonly startMs: number;
  /** Ends it in whatever way is quickest. */
  stop(): Promise<void>;
}

export const HMAC_KEY = 'hmac-key-of-the-benchmark';
/** Two callers: one whose tasks are watched, and one whose tasks only take revisions. */
export const BENCH_KEY = 'key-of-the-benchmark';
export const OTHER_KEY = 'key-of-somebody-else';

/** Where they differ from the defaults, the report says why. */
export const SETTINGS = {
  ARCHIVE: 'off',
  API_KEYS: `bench:${BENCH_KEY},other:${OTHER_KEY}`,
  KIE_API_KEY: 'key-at-the-provider',
  KIE_CREATES_PER_10S: '10000',
  KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
  PUBLIC_URL: 'https://gateway.example',
} as const;

let count = 0;

/** `node dist/main.js` as users run it, but for the profile; its log goes into a file in `directory`. */
export async function startGateway(
  directory: string,
  env: Readonly<Record<string, string>>,
  profile: Profile | null = null,
): Promise<GatewayProcess> {
  count += 1;
  const logFile = join(directory, `gateway-${count}.log`);
  const output = openSync(logFile, 'w');
  const spawned = performance.now();
  const child = startNode([...(profile ? profileArguments(profile) : []), 'dist/main.js'], {
    env: { PORT: '0', ...SETTINGS, ...env },
    output,
    speaks: false,
  });
  closeSync(output);
  const ended = once(child.process, 'exit').then(() => 'ended' as const);
  for (let look = 0; look < 15_000; look += 1) {
    const port = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(readFileSync(logFile, 'utf8'))?.[1];
    if (port !== undefined) {
      await answersOnce(Number(port), { authorization: `Bearer ${BENCH_KEY}` });
      return {
        child,
        port: Number(port),
        startMs: performance.now() - spawned,
        // The profile is written on the way out.
        stop: () => child.kill(profile ? 'SIGTERM' : 'SIGKILL'),
      };
    }
    if ((await Promise.race([ended, delay(2)])) === 'ended') break;
  }
  throw new Error(`the gateway did not start:\n${readFileSync(logFile, 'utf8')}`);
}
