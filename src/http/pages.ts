import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { refusal } from '../limits/refusal.ts';
import type { InTurn } from '../limits/turns.ts';
import { sendRefusal } from './problem.ts';
import { pathOf, READ_METHODS, type Handler, type Route } from './router.ts';

/** What the dashboard has to know before its first request. */
interface DashboardSettings {
  /** Nothing is charged. */
  readonly sandbox: boolean;
  /** Clients have to authenticate. */
  readonly signIn: boolean;
  readonly graphiql: boolean;
  readonly version: string;
}

/** Where the page contains its settings. */
const SETTINGS = '<meta name="kineograph" content="{}"';

/** Allows only our own scripts and styles. Images and videos come from the URLs of tasks. */
const DASHBOARD_POLICY = policyOf([
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' http: https: blob: data:",
  'media-src http: https:',
]);

/** Allows only our own scripts. The editor creates style sheets at run time. */
const GRAPHIQL_POLICY = policyOf([
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
]);

function policyOf(sources: readonly string[]): string {
  const closed = ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"];
  return ["default-src 'none'", ...sources, "connect-src 'self'", ...closed].join('; ');
}

/** The dashboard at `/` and `/tasks/{id}`; none if `directory` holds no built dashboard. */
export async function dashboardRoutes(
  directory: string,
  settings: DashboardSettings,
  inTurn: InTurn,
): Promise<readonly Route[]> {
  const index = join(directory, 'index.html');
  if (!existsSync(index)) return [];
  const content = escaped(JSON.stringify(settings));
  const html = (await readFile(index, 'utf8')).replace(
    SETTINGS,
    () => `<meta name="kineograph" content="${content}"`,
  );
  const handle = pageHandler(html, { 'Content-Security-Policy': DASHBOARD_POLICY });
  return [
    { name: '/', methods: READ_METHODS, handle },
    {
      name: '/tasks/:id',
      methods: READ_METHODS,
      matches: (path) => /^\/tasks\/[^/]+$/.test(path),
      handle,
    },
    assetsRoute(join(directory, 'assets'), inTurn),
  ];
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

/** GraphiQL, for browsers that open `path`. The page reads the operation from its URL. */
export async function graphiqlRoute(directory: string, path: string): Promise<Route> {
  const built = join(directory, 'graphiql.html');
  const html = existsSync(built) ? await readFile(built, 'utf8') : NOT_BUILT;
  return {
    name: path,
    matches: (asked, { headers, method = '' }) =>
      asked.toLowerCase().replace(/\/$/, '') === path &&
      READ_METHODS.includes(method) &&
      headers.accept?.includes('text/html') === true,
    handle: pageHandler(html, { 'Content-Security-Policy': GRAPHIQL_POLICY, Vary: 'Accept' }),
  };
}

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

function pageHandler(html: string, headers: OutgoingHttpHeaders): Handler {
  const page = Buffer.from(html);
  const all = {
    ...headers,
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': page.length,
    'Cache-Control': 'no-cache',
  };
  return (_request, response) => {
    response.writeHead(200, all).end(page);
  };
}

const ASSETS = '/assets/';

/** Encodings of the build, the best one first, and the endings of their files. */
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
};

/**
 * The files of the pages, from memory. Each is written in its client's turn: a write passes up to a megabyte to the system, which
 * takes about a millisecond.
 */
function assetsRoute(directory: string, inTurn: InTurn): Route {
  const files = readAll(directory);
  // A failure rejects each request; until then nobody awaits it.
  files.catch(() => undefined);
  return {
    name: `${ASSETS}*`,
    methods: READ_METHODS,
    matches: (path) => path.startsWith(ASSETS),
    async handle(request, response) {
      const all = await files;
      const name = pathOf(request).slice(ASSETS.length);
      const [encoding, ending] = ENCODINGS.find(
        ([one, end]) => accepts(request, one) && all.has(name + end),
      ) ?? ['identity', ''];
      const file = all.get(name + ending);
      const type = TYPES[extname(name)];
      if (!file || type === undefined) {
        sendRefusal(response, NO_ASSET);
        return;
      }
      // Names contain a hash of the content.
      const etag = `"${name}${ending}"`;
      const headers = {
        ETag: etag,
        'Cache-Control': 'public, max-age=31536000, immutable',
        Vary: 'Accept-Encoding',
      };
      if (request.headers['if-none-match']?.includes(etag)) {
        response.writeHead(304, headers).end();
        return;
      }
      response.writeHead(200, {
        ...headers,
        'Content-Type': type,
        'Content-Length': file.length,
        ...(ending !== '' && { 'Content-Encoding': encoding }),
      });
      await inTurn(request.socket.remoteAddress ?? '', () => {
        response.end(file);
        return Promise.resolve();
      });
    },
  };
}

async function readAll(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = readdirSync(directory);
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)),
  );
}

function accepts({ headers }: IncomingMessage, encoding: string): boolean {
  const { 'accept-encoding': accepted = '' } = headers;
  return accepted.split(',').some((part) => {
    const [name = '', quality = ''] = part.toLowerCase().split(';');
    return name.trim() === encoding && !/^\s*q=0(?:\.0*)?\s*$/.test(quality);
  });
}

const NO_ASSET = refusal(
  404,
  'There is no such file.',
  'Reload the page: a new version of the gateway has other files. The API is at /graphql.',
);
