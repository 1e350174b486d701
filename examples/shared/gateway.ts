const { KINEOGRAPH_URL = 'http://127.0.0.1:4000', KINEOGRAPH_TOKEN = '' } = process.env;

/** Where queries, mutations and streams of server-sent events go. */
export const GRAPHQL_URL = `${KINEOGRAPH_URL}/graphql`;

/** Where WebSockets go: the same address. */
export const SOCKET_URL = GRAPHQL_URL.replace(/^http/, 'ws');

/** Who asks: headers over HTTP, the payload of `connection_init` over a WebSocket. Empty where the gateway asks nobody. */
export const AUTHORIZATION: Readonly<Record<string, string>> =
  KINEOGRAPH_TOKEN === '' ? {} : { authorization: `Bearer ${KINEOGRAPH_TOKEN}` };

/** The code with which the gateway closes a WebSocket whose credential it refuses (any more). */
export const FORBIDDEN = 4403;

/** Whether a WebSocket that ended so should come back: always, but not to be refused again. */
export function mayComeBack(event: unknown): boolean {
  return (event as { readonly code?: number }).code !== FORBIDDEN;
}

/** What the video is to be made of; the prompt may be given on the command line. */
export const WISH = {
  prompt: process.argv[2] ?? 'slow push-in, snow falling',
  imageUrl: 'https://example.com/first.png',
};

/**
 * How long to wait before trying again, in ms: half a second at first, ten at most, and never the same for all, so that
 * not everybody comes back at once. `tries` counts from 0.
 */
export function patience(tries: number): number {
  return Math.min(10_000, 500 * 2 ** tries) * (0.5 + Math.random() / 2);
}
