import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What the page has to know before it asks for anything. */
interface DashboardSettings {
  /** Nothing is charged. */
  readonly sandbox: boolean;
  /** Callers have to say who they are. */
  readonly signIn: boolean;
  readonly graphiql: boolean;
  readonly version: string;
}

/** Where in the page its settings stand. */
const SETTINGS = '<meta name="kineograph" content="{}"';

/** Scripts and styles are ours alone; pictures and videos are wherever the caller's tasks say. */
const DASHBOARD_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' http: https: blob: data:",
  'media-src http: https:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * The dashboard at `/` and, for one task, at `/tasks/{id}`; its files, named after what is in them, at `/assets/`. Does
 * nothing where `directory` does not hold a dashboard that was built.
 */
export async function dashboard(
  app: FastifyInstance,
  directory: string,
  settings: DashboardSettings,
): Promise<void> {
  const index = join(directory, 'index.html');
  if (!existsSync(index)) return;
  await app.register(fastifyStatic, {
    root: join(directory, 'assets'),
    prefix: '/assets/',
    maxAge: '365d',
    immutable: true,
    preCompressed: true,
    index: false,
  });
  const page = (await readFile(index, 'utf8')).replace(
    SETTINGS,
    () => `<meta name="kineograph" content="${escaped(JSON.stringify(settings))}"`,
  );
  for (const path of ['/', '/tasks/:id'])
    app.get(path, (_request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .headers({ 'content-security-policy': DASHBOARD_POLICY, 'cache-control': 'no-cache' })
        .send(page),
    );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

/** GraphiQL, for browsers that open the API's address. */
export interface GraphiqlPage {
  /** Whether a browser opens the address, with an operation for the editor or without. */
  readonly fits: (request: IncomingMessage) => boolean;
  /** The same for everybody: the page itself reads the operation from its address. */
  readonly send: (response: ServerResponse) => void;
}

/** Scripts are ours alone, and talk to nobody but us. The editor makes style sheets while it runs. */
const GRAPHIQL_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const NOT_BUILT = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Kineograph</title>
  </head>
  <body>
    <p>GraphiQL was not built: run <code>npm run build</code>, then start again. The API is at this very address.</p>
  </body>
</html>
`;

/** The page that was built into `directory`, or else one that says how to build it. */
export async function createGraphiqlPage(directory: string): Promise<GraphiqlPage> {
  const html = await readPage(join(directory, 'graphiql.html'));
  return {
    fits: ({ headers, method }) =>
      (method === 'GET' || method === 'HEAD') && headers.accept?.includes('text/html') === true,
    send: (response) => {
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'content-length': Buffer.byteLength(html),
        'content-security-policy': GRAPHIQL_POLICY,
        'cache-control': 'no-cache',
        vary: 'Accept',
      });
      response.end(html);
    },
  };
}

async function readPage(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOT_BUILT;
    throw error;
  }
}
