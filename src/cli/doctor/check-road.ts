import { isOpen, type Config } from '../../config/config.ts';
import { checkSignatures } from './check-signatures.ts';
import { checkWebsocket } from './check-websocket.ts';
import { findingsOf, type Finding } from './finding.ts';
import { inTime } from './in-time.ts';
import { openRoad } from './open-road.ts';
import type { StoreReport } from './store-report.ts';

/** Everything that comes through PUBLIC_URL: callbacks, sockets, signatures. */
export async function checkRoad(config: Config, store: StoreReport): Promise<readonly Finding[]> {
  const { publicUrl } = config;
  if (publicUrl === null) return withoutAddress(config);
  const { close, farEnd, finding } = await openRoad(config, publicUrl, store);
  try {
    const [sockets, signatures] = await Promise.all([
      inTime('WebSocket', async () =>
        farEnd === 'nobody'
          ? [findingsOf('WebSocket').skipped('not tried: the public address does not lead here')]
          : [await checkWebsocket(publicUrl, farEnd, !isOpen(config))],
      ),
      inTime('signatures', () => checkSignatures(config, publicUrl, farEnd, store.callbackSecret)),
    ]);
    return [finding, ...sockets, ...signatures];
  } finally {
    await close();
  }
}

function withoutAddress({ kieApiKey }: Config): readonly Finding[] {
  const why =
    kieApiKey === null
      ? 'the sandbox calls back on this machine'
      : 'PUBLIC_URL is not set: nobody calls back';
  return ['public address', 'WebSocket', 'signatures'].map((check) => findingsOf(check).skipped(why));
}
