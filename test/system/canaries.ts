import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { GraphqlWsClosedError, openGraphqlWs } from '../kit/graphql-ws.ts';
import type { BuiltGateway } from '../kit/process.ts';
import { tokenOf } from './client.ts';

/** Secrets that are found wherever they turn up; with characters that look different in URLs. */
export function canary(name: string): string {
  return `canary/${name}+${randomBytes(16).toString('hex')}=`;
}

/** What a gateway is given to keep, and what its callers send. `wrongKey` and `expiredToken` let nobody in. */
export async function createCanaries() {
  const jwtSecret = canary('jwt-secret');
  return {
    kieKey: canary('kie'),
    newHmacKey: canary('hmac-new'),
    oldHmacKey: canary('hmac-old'),
    annsKey: canary('ann'),
    bobsKey: canary('bob'),
    jwtSecret,
    token: await tokenOf('carol', '1h', jwtSecret),
    databasePassword: canary('database'),
    wrongKey: canary('wrong'),
    expiredToken: await tokenOf('dave', '-1h', jwtSecret),
  };
}

/** The names of the secrets that a text holds, in whatever spelling. */
export function namesFound(text: string, secrets: Readonly<Record<string, string>>): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) =>
    spellingsOf(secret).some((spelling) => text.includes(spelling)) ? [name] : [],
  );
}

/** As it is, in JSON, in URLs, as numbers of bytes, and in base64 wherever it begins in a longer text. */
function spellingsOf(secret: string): string[] {
  const based = [0, 1, 2].flatMap((shift) => {
    const bytes = Buffer.from('x'.repeat(shift) + secret);
    // Without the ends, which depend on what stands beside it.
    const cut = (text: string): string => text.slice(4, -4);
    return [cut(bytes.toString('base64')), cut(bytes.toString('base64url'))];
  });
  const numbers = [...Buffer.from(secret)].join(',');
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), numbers, ...based];
}

/** Sends a credential that is refused over each door, in every place where one may stand; returns how it was refused. */
export async function knockWith({ graphqlUrl }: BuiltGateway, credential: string): Promise<number[]> {
  const answers: number[] = [];
  const body = JSON.stringify({ query: '{ __typename }' });
  for (const scheme of ['Bearer', 'bearer', 'Basic', 'Token'])
    for (const accept of ['application/json', 'text/event-stream']) {
      const authorization = `${scheme} ${credential}`;
      const headers = { authorization, accept, 'content-type': 'application/json' };
      answers.push(await statusOf(fetch(graphqlUrl, { method: 'POST', headers, body })));
    }
  const authorization = `Bearer ${credential}`;
  for (const options of [{ connectionParams: { authorization } }, { headers: { authorization } }])
    answers.push(
      await openGraphqlWs(graphqlUrl, options).then(
        () => 0,
        (error: unknown) => (error instanceof GraphqlWsClosedError ? error.code : NaN),
      ),
    );
  return answers;
}

/** Sends a secret where no secret belongs, in requests that are wrong themselves. */
export async function blunder({ graphqlUrl, url }: BuiltGateway, secret: string): Promise<void> {
  const inUrl = encodeURIComponent(secret);
  const authorization = `Bearer ${secret}`;
  const headers = { authorization, 'content-type': 'application/json' };
  await statusOf(fetch(`${graphqlUrl}?query={nope}&token=${inUrl}`, { headers }));
  await statusOf(fetch(`${url}/nothing/${inUrl}?key=${inUrl}`, { headers }));
  for (const [target, body] of [
    [`${url}/webhooks/kie/some-task/${inUrl}`, secret],
    [graphqlUrl, `{"query": "${secret}`],
    [graphqlUrl, JSON.stringify({ query: secret })],
  ] as const)
    await statusOf(fetch(target, { method: 'POST', headers, body }));
  await statusOf(fetch(graphqlUrl, { method: 'POST', headers: { authorization }, body: secret }));

  for (const head of [
    `GET /%zz${secret} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
    `GET /graphql\u0001${secret} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
  ]) {
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(head);
    await once(socket, 'close');
  }

  for (const message of [`{"type":"connection_init","payload":"${secret}`, { type: secret }, secret]) {
    const socket = await openGraphqlWs(`${graphqlUrl}?token=${inUrl}`, { init: false });
    socket.send(message);
    await socket.closed;
  }
  const payload = { headers: { authorization } };
  for (const opening of [
    openGraphqlWs(graphqlUrl, { ...payload, origin: 'https://elsewhere.example' }),
    openGraphqlWs(`${graphqlUrl}/${inUrl}`, payload),
  ])
    await opening.catch(() => undefined);
}

async function statusOf(answering: Promise<Response>): Promise<number> {
  const answer = await answering;
  await answer.text();
  return answer.status;
}
