import type { FastifyInstance } from 'fastify';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/config.ts';
import { dashboard } from '../http/pages.ts';
import { VERSION } from '../version.ts';
import type { Upstream } from './upstream.ts';

/** Where the sandbox's result files are served, so that their addresses work wherever the gateway's own does. */
export const SANDBOX_FILES_PATH = '/sandbox/files';

/** Where the pages are that were built, by the package's own name for it: the build moves this file. */
export const DASHBOARD = dirname(fileURLToPath(import.meta.resolve('#dashboard/index.html')));

/** What people look at: the dashboard, and what the sandbox has made or was given. */
export async function openPages(
  http: FastifyInstance,
  { graphiql }: Config,
  { isOpen, upstream }: { readonly isOpen: boolean; readonly upstream: Upstream },
): Promise<void> {
  if (upstream.uploadsDir !== null) {
    const { sandboxFiles } = await import('../sandbox/files.ts');
    await http.register(sandboxFiles, { prefix: SANDBOX_FILES_PATH, uploadsDir: upstream.uploadsDir });
  }
  await dashboard(http, DASHBOARD, {
    sandbox: upstream.kind === 'sandbox',
    signIn: !isOpen,
    graphiql,
    version: VERSION,
  });
}
