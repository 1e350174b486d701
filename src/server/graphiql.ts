import { createHash } from 'node:crypto';
import type { GraphiQLOptions, Plugin } from 'graphql-yoga';
import { READY_OPERATIONS } from './graphiql-operations.ts';

export interface Graphiql {
  readonly graphiql: GraphiQLOptions;
  readonly renderGraphiQL: (options: GraphiQLOptions) => Promise<string>;
  /** Adds the page's content security policy to its answers. */
  readonly plugin: Plugin;
}

/** A page without any request to another host, with ready-made operations on the provider's own example. */
export function createGraphiql(): Graphiql {
  // The same for everybody, so it is rendered and hashed once.
  let page: Promise<Page> | null = null;

  return {
    graphiql: {
      title: 'Kineograph',
      subscriptionsProtocol: 'WS',
      // Without variables: the page does not show those of a tab that it has not opened yet.
      defaultTabs: READY_OPERATIONS.map((query) => ({ query })),
    },
    renderGraphiQL: async (options) => (await (page ??= render(options))).html,
    plugin: {
      onResponse: async ({ response }) => {
        const isPage = response.headers.get('content-type')?.startsWith('text/html') === true;
        if (isPage && page) response.headers.set('content-security-policy', (await page).policy);
      },
    },
  };
}

interface Page {
  readonly html: string;
  readonly policy: string;
}

async function render(options: GraphiQLOptions): Promise<Page> {
  // Nine megabytes of script: loaded when somebody looks at the page, which few gateways ever show.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL(options);
  return { html, policy: policyFor(html) };
}

/** Only the scripts that are in the page may run, and they may talk to nobody but us. */
function policyFor(html: string): string {
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, script = '']) =>
    hashOf(script),
  );
  return [
    "default-src 'none'",
    `script-src ${scripts.join(' ')} blob:`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    'font-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function hashOf(script: string): string {
  return `'sha256-${createHash('sha256').update(script).digest('base64')}'`;
}
