import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What the page has to know before it asks for anything. */
export interface DashboardSettings {
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
