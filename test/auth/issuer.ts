import type { JWK } from 'jose';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestEnd } from '../kit/waits.ts';
import { sendAnswer, type Answer } from '../kit/provider.ts';

/** Publishes keys over real HTTP, as the issuer of tokens does. It is closed at the end of the test. */
export interface Issuer {
  readonly jwksUrl: string;
  readonly port: number;
  /** How often its keys were asked for. */
  requests(): number;
  /** The keys that it has from now on: also how it rotates and withdraws them, and recovers from `answer`. */
  publish(...keys: readonly { readonly jwk: JWK }[]): void;
  /** What it says from now on in place of its keys. */
  answer(answer: Answer): void;
  /** Cuts all connections and frees the port: it is away. */
  close(): Promise<void>;
}

/** `port` is for an issuer that comes back where another one was closed. */
export async function startIssuer(
  keys: readonly { readonly jwk: JWK }[],
  { port = 0 } = {},
): Promise<Issuer> {
  let requests = 0;
  let answer = answerWith(keys);
  const server = createServer((_request, response) => {
    requests += 1;
    void sendAnswer(answer, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });

  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    });
  onTestEnd(close);
  const taken = (server.address() as AddressInfo).port;
  return {
    jwksUrl: `http://127.0.0.1:${taken}/.well-known/jwks.json`,
    port: taken,
    requests: () => requests,
    publish: (...others) => {
      answer = answerWith(others);
    },
    answer: (other) => {
      answer = other;
    },
    close,
  };
}

function answerWith(keys: readonly { readonly jwk: JWK }[]): Answer {
  return { body: { keys: keys.map(({ jwk }) => jwk) }, closeAfter: true };
}
