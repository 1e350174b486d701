import { describe, expect, it } from 'vitest';
import { startIssuer } from './issuer.ts';
import { LET_IN, REFUSED, knockWith, startGuarded } from './knock.ts';
import { SECRET, createSigningKey, signWith } from './tokens.ts';

describe('API keys and tokens side by side', () => {
  const dotted = 'abcdefgh.ijklmnop.qrstuvwx';

  it.each([
    ['a secret', async () => ({ env: { JWT_SECRET: SECRET }, token: await signWith(SECRET) })],
    [
      "an issuer's keys",
      async () => {
        const key = await createSigningKey();
        return { env: { JWT_JWKS_URL: (await startIssuer([key])).jwksUrl }, token: await key.sign() };
      },
    ],
  ] as const)('are both taken, with %s, even a key that looks like a token', async (_, make) => {
    const { env, token } = await make();
    const gateway = await startGuarded({ API_KEYS: `ada:key-of-ada,ben:${dotted}`, ...env });
    for (const credential of ['key-of-ada', dotted, token])
      expect(await knockWith(gateway, credential)).toEqual(LET_IN);
    for (const credential of ['key-of-nobody', `${dotted}y`, `${token.slice(0, -5)}AAAAA`])
      expect(await knockWith(gateway, credential)).toEqual(REFUSED);
  });
});
