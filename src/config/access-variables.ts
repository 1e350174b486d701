import { z } from 'zod';
import { facts } from './facts.ts';
import { boolean, httpUrl, list, network, ownedKey, pageOrigin, secret, toApiKeys } from './kinds.ts';

/** Who may call, and from where. */
export const access = {
  API_KEYS: list(ownedKey()).transform(toApiKeys).register(facts, {
    group: 'Access',
    description:
      'Keys that callers send as "Authorization: Bearer <key>", each with the owner whose tasks it opens. An owner may have several.',
    example: 'ada:a-long-random-key,ben:another-one',
    secret: true,
  }),
  JWT_JWKS_URL: httpUrl().nullable().default(null).register(facts, {
    group: 'Access',
    description:
      "Where the issuer of tokens publishes its keys. A token's owner is its claim sub; exp is required.",
    example: 'https://login.example.com/.well-known/jwks.json',
  }),
  JWT_SECRET: list(secret()).register(facts, {
    group: 'Access',
    description:
      'The secret of tokens that are signed with HS256, in place of JWT_JWKS_URL: at least 32 characters. Several between commas while you change it; any may match.',
    example: 'a-random-secret-of-at-least-32-characters',
    secret: true,
  }),
  JWT_ISSUER: z.string().nullable().default(null).register(facts, {
    group: 'Access',
    description: 'What the claim iss of a token must be; not checked when unset.',
    example: 'https://login.example.com/',
  }),
  JWT_AUDIENCE: z.string().nullable().default(null).register(facts, {
    group: 'Access',
    description: 'What the claim aud of a token must hold; not checked when unset.',
    example: 'kineograph',
  }),
  SHOW_CREDITS: boolean().default(false).register(facts, {
    group: 'Access',
    description:
      "Show the balance of the provider's account to callers; without API keys and tokens it is always shown.",
    example: 'true',
  }),
  METRICS_TOKEN: secret()
    .refine((text) => text.length >= 16, { error: 'at least 16 characters' })
    .nullable()
    .default(null)
    .register(facts, {
      group: 'Access',
      description:
        'What a scraper sends as "Authorization: Bearer <token>" to read /metrics. Without it only this machine can read /metrics, and with TRUSTED_PROXIES nobody can.',
      example: 'a-long-random-token',
      secret: true,
    }),
  TRUSTED_PROXIES: list(network()).register(facts, {
    group: 'Access',
    description:
      'Addresses or networks of the proxies in front, between commas. Their X-Forwarded-* and X-Request-Id headers are trusted.',
    example: '10.0.0.0/8',
  }),
  ALLOWED_ORIGINS: list(pageOrigin()).register(facts, {
    group: 'Access',
    description:
      'Origins of web pages, apps and browser extensions, between commas, that may call (CORS and WebSocket): https://app.example.com, capacitor://localhost, chrome-extension://<id>. Pages of the gateway itself always may, and pages of this machine while it listens on loopback.',
    example: 'https://app.example.com,http://localhost:5173',
  }),
  ALLOW_ANONYMOUS: boolean().default(false).register(facts, {
    group: 'Access',
    description:
      'Without API keys and tokens, serve everyone who can reach the address. Whoever that is spends your credits.',
    example: 'true',
  }),
  INTROSPECTION: boolean().default(true).register(facts, {
    group: 'Access',
    description: 'Let clients ask for the schema.',
    example: 'false',
  }),
  GRAPHIQL: boolean().default(true).register(facts, {
    group: 'Access',
    description: 'Serve GraphiQL to browsers at /graphql.',
    example: 'false',
  }),
};
