interface Settings {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly prompt?: string | undefined;
}

const settings = typeof process === 'undefined' ? settingsOfPage() : settingsOfProcess();

/** Node.js: the environment, and the prompt as an argument. */
function settingsOfProcess(): Settings {
  return {
    url: process.env['KINEOGRAPH_URL'],
    token: process.env['KINEOGRAPH_TOKEN'],
    prompt: process.argv[2],
  };
}

/** A browser: `#url=…&token=…&prompt=…`. A fragment is never sent to a server, so no log shows the token. */
function settingsOfPage(): Settings {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/** The endpoint of queries, mutations and event streams. */
export const GRAPHQL_URL = `${settings.url ?? 'http://127.0.0.1:4000'}/graphql`;

/** The endpoint of WebSockets: the same path. */
export const SOCKET_URL = GRAPHQL_URL.replace(/^http/, 'ws');

/** The credential: a header over HTTP, the payload of `connection_init` over a WebSocket. Empty without a token. */
export const AUTHORIZATION: Readonly<Record<string, string>> = settings.token
  ? { authorization: `Bearer ${settings.token}` }
  : {};

/** The code with which the gateway closes a WebSocket whose credential is invalid or has expired. */
export const FORBIDDEN = 4403;

/** Whether to reconnect a WebSocket that was closed by `event`: always, unless the credential was rejected. */
export function mayComeBack(event: unknown): boolean {
  return (event as { readonly code?: number }).code !== FORBIDDEN;
}

/** The input of the mutation. */
export const WISH = {
  prompt: settings.prompt ?? 'slow push-in, snow falling',
  imageUrl: 'https://example.com/first.png',
};

/**
 * The delay before the next attempt, in ms: exponential from 0.5 s to 10 s, with jitter so that clients do not all
 * reconnect at once. `tries` counts from 0.
 */
export function patience(tries: number): number {
  return Math.min(10_000, 500 * 2 ** tries) * (0.5 + Math.random() / 2);
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
