import { describe, expect, it } from 'vitest';
import { staysPending } from '../kit/waits.ts';
import { CREATE, input } from '../kit/documents.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { SECRET, claims, inSeconds, signWith } from './tokens.ts';

describe('a socket whose token has expired', () => {
  it('starts no new operation, even if the client ignores the close frame', async () => {
    const provider = await startFakeProvider();
    const gateway = await startGateway({ provider, env: { JWT_SECRET: SECRET } });
    const token = await signWith(SECRET, claims({ exp: inSeconds(1) }));
    const connectionParams = { authorization: `Bearer ${token}` };
    const deaf = await openGraphqlWs(gateway.graphqlUrl, { connectionParams });
    const other = await openGraphqlWs(gateway.graphqlUrl, { connectionParams });
    deaf.pause();
    expect((await other.closed).code).toBe(4403);
    deaf.subscribe({ query: CREATE, variables: { input: input() } });
    await staysPending(provider.received('createTask'), 200);
  });
});
