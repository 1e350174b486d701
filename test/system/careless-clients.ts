import { once } from 'node:events';
import { connect } from 'node:net';
import { GraphqlWsClosedError, openGraphqlWs } from '../kit/graphql-ws.ts';
import type { BuiltGateway } from '../kit/process.ts';

/** Sends a credential that is refused over each door, in every place where one may stand. */
export async function knockWith({ graphqlUrl }: BuiltGateway, credential: string): Promise<number[]> {
  const answers: number[] = [];
  const body = JSON.stringify({ query: '{ __typename }' });
  for (const scheme of ['Bearer', 'bearer', 'Basic', 'Token'])
    for (const accept of ['application/json', 'text/event-stream']) {
      const headers = {
        authorization: `${scheme} ${credential}`,
        accept,
        'content-type': 'application/json',
      };
      const answer = await fetch(graphqlUrl, { method: 'POST', headers, body });
      await answer.text();
      answers.push(answer.status);
    }
  const authorization = `Bearer ${credential}`;
  answers.push(await closeCodeOf(openGraphqlWs(graphqlUrl, { connectionParams: { authorization } })));
  answers.push(await closeCodeOf(openGraphqlWs(graphqlUrl, { headers: { authorization } })));
  return answers;
}

/** Sends secrets where no secret belongs, in requests that are wrong themselves. */
export async function blunder({ graphqlUrl, url }: BuiltGateway, secret: string): Promise<void> {
  const inUrl = encodeURIComponent(secret);
  const authorization = `Bearer ${secret}`;
  const headers = { authorization, 'content-type': 'application/json' };
  await drain(fetch(`${graphqlUrl}?query={nope}&token=${inUrl}`, { headers }));
  await drain(fetch(`${url}/nothing/${inUrl}?key=${inUrl}`, { headers }));
  await drain(fetch(`${url}/webhooks/kie/some-task/${inUrl}`, { method: 'POST', headers, body: secret }));
  await drain(fetch(graphqlUrl, { method: 'POST', headers, body: `{"query": "${secret}` }));
  await drain(fetch(graphqlUrl, { method: 'POST', headers, body: JSON.stringify({ query: secret }) }));
  await drain(fetch(graphqlUrl, { method: 'POST', headers: { authorization }, body: secret }));
  for (const head of [
    `GET /%zz${secret} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
    `GET /graphql\u0001${secret} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
  ])
    await sendRaw(url, head);
  await blunderOverSocket(graphqlUrl, secret);
}

async function blunderOverSocket(graphqlUrl: string, secret: string): Promise<void> {
  const payload = { authorization: `Bearer ${secret}` };
  const inUrl = encodeURIComponent(secret);
  for (const message of [`{"type":"connection_init","payload":"${secret}`, { type: secret }, secret]) {
    const socket = await openGraphqlWs(`${graphqlUrl}?token=${inUrl}`, { init: false });
    socket.send(message);
    await socket.closed;
  }
  for (const url of [graphqlUrl, `${graphqlUrl}/${inUrl}`])
    await openGraphqlWs(url, {
      origin: url === graphqlUrl ? `https://elsewhere.example` : '',
      headers: payload,
    }).catch(() => undefined);
}

/** The code with which a socket is refused. */
async function closeCodeOf(opening: Promise<unknown>): Promise<number> {
  try {
    await opening;
    return 0;
  } catch (error) {
    if (error instanceof GraphqlWsClosedError) return error.code;
    throw error;
  }
}

async function drain(answering: Promise<Response>): Promise<void> {
  await (await answering).text();
}

async function sendRaw(url: string, text: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => undefined).resume();
  socket.write(text);
  await once(socket, 'close');
}
