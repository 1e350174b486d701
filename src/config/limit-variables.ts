import { facts } from './facts.ts';
import { integer, list, proxyUrl } from './kinds.ts';
import { z } from 'zod';

const MANY = 1_000_000_000;

/** A limit that is always there. */
function limit(standard: number, description: string, max = 1_000_000) {
  return integer(1, max)
    .default(standard)
    .register(facts, { group: 'Limits', description, example: String(standard) });
}

/** A limit that is off unless it is set. */
function optionalLimit(description: string, example: number) {
  return integer(1, MANY)
    .nullable()
    .default(null)
    .register(facts, {
      group: 'Limits',
      description: `${description} Off when unset.`,
      example: String(example),
    });
}

/** How much one request, one socket and one owner may ask for: the same over HTTP, SSE and WebSocket. */
export const limits = {
  MAX_BODY_BYTES: limit(262_144, 'Bytes of a request body or a socket message.', 16_777_216),
  REQUEST_TIMEOUT_MS: limit(
    120_000,
    'How long a whole request may take to arrive, in milliseconds: 10 MB at 0.7 Mbit/s take two minutes.',
    3_600_000,
  ),
  MAX_UPLOADS: limit(
    100,
    'Concurrent uploads, of at most 10 MB each. One owner may have half of them; its first one is always accepted.',
  ),
  OVERLOAD_DELAY_MS: integer(0, 60_000).default(1000).register(facts, {
    group: 'Limits',
    description:
      'Event-loop lag threshold for shedding load, in milliseconds on average over some seconds. Beyond it new requests, uploads and sockets are refused with 503, callbacks never. Writes that wait five times as long, or 90 % of the memory in use, count as well. 0 switches it off.',
    example: '1000',
  }),
  MAX_DEPTH: limit(10, 'Levels of fields in an operation.'),
  MAX_ALIASES: limit(15, 'Aliases in an operation.'),
  MAX_DIRECTIVES: limit(5, 'Directives in an operation.'),
  MAX_TOKENS: limit(1000, 'Lexical tokens in an operation.'),
  MAX_LIST_ITEMS: limit(200, 'Items that all lists of an operation may request together, by `first`.'),
  MAX_SUBSCRIPTIONS_PER_SOCKET: limit(100, 'Operations that may run on one socket at a time.'),
  MAX_OPERATIONS_PER_SECOND: limit(50, 'Operations that one socket may begin in a second.'),
  MAX_SOCKETS_PER_OWNER: optionalLimit('Sockets and event streams that one owner may have open.', 1000),
  MAX_SOCKETS_PER_ADDRESS: optionalLimit('Sockets and event streams that one address may have open.', 100),
  MAX_REQUESTS_PER_MINUTE: optionalLimit(
    'Requests over HTTP and operations over sockets, together, that one owner may send in a minute.',
    600,
  ),
  MAX_CREATES_PER_MINUTE: optionalLimit('Tasks that one owner may create in a minute.', 10),
  MAX_CREATES_PER_DAY: optionalLimit('Tasks that one owner may create in 24 hours.', 200),
};

/** The way out to kie.ai, by the names that other programs read as well. */
export const proxies = {
  HTTPS_PROXY: proxyUrl().nullable().default(null).register(facts, {
    group: 'Proxy',
    description:
      'The proxy (http or https) through which https addresses of kie.ai and of the issuer of tokens are called. Images that CHECK_IMAGES looks at are never fetched through a proxy.',
    example: 'http://proxy.example.com:3128',
    secret: true,
  }),
  HTTP_PROXY: proxyUrl().nullable().default(null).register(facts, {
    group: 'Proxy',
    description: 'The same for http addresses.',
    example: 'http://proxy.example.com:3128',
    secret: true,
  }),
  NO_PROXY: list(z.string()).register(facts, {
    group: 'Proxy',
    description:
      'Hosts that are called without a proxy, between commas, with all hosts below them; host:port is one port, * every host.',
    example: 'localhost,127.0.0.1,.internal.example.com',
  }),
};
