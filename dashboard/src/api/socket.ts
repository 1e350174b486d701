import { createClient, type Client } from 'graphql-ws';
import { connection, signOut } from './connection.ts';
import { authorization } from './credential.ts';

/** graphql-transport-ws as this gateway speaks it: who it does not know is sent away with this code. */
const FORBIDDEN = 4403;

const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 15_000;

/** How long a connection may be silent before it counts as cut: nobody tells a browser that a network is gone. */
const PING_MS = 10_000;
const PONG_MS = 5_000;

/** A socket that comes back for as long as the page is open, and says how it stands. */
export function createSocket(): Client {
  let unanswered: ReturnType<typeof setTimeout> | undefined;
  const socket = createClient({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
    connectionParams: authorization,
    lazy: true,
    keepAlive: PING_MS,
    retryAttempts: Infinity,
    shouldRetry: (event) => !(event instanceof CloseEvent && event.code === FORBIDDEN),
    retryWait: waitToRetry,
    on: {
      connected: () => {
        connection.set({ state: 'live' });
      },
      ping: (isTheirs) => {
        if (!isTheirs) unanswered = setTimeout(cut, PONG_MS);
      },
      pong: (isTheirs) => {
        if (isTheirs) clearTimeout(unanswered);
      },
      closed: (event) => {
        clearTimeout(unanswered);
        if (event instanceof CloseEvent && event.code === FORBIDDEN) signOut(true);
      },
    },
  });
  const cut = (): void => {
    socket.terminate();
  };
  window.addEventListener('offline', cut);
  return socket;
}

/** Longer and longer, so that many pages do not all come back at once; at once when the network is there again. */
async function waitToRetry(retries: number): Promise<void> {
  const longest = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** retries);
  const wait = longest / 2 + (Math.random() * longest) / 2;
  connection.set(
    navigator.onLine ? { state: 'reconnecting', nextAt: Date.now() + wait } : { state: 'offline' },
  );
  await new Promise<void>((resolve) => {
    const timer = setTimeout(end, wait);
    window.addEventListener('online', end);
    function end(): void {
      clearTimeout(timer);
      window.removeEventListener('online', end);
      resolve();
    }
  });
}
