import { z } from 'zod';
import { facts } from './facts.ts';
import { list, proxyUrl } from './kinds.ts';

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
