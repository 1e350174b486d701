import { join } from 'node:path';
import { freePort, ROOT, startProcess } from '../../kit/process.ts';
import { temporaryDir } from '../../kit/gateway.ts';

/** Starts Caddy with the project's own file for it, in front of these origins. Returns its own. Needs caddy. */
export async function startCaddy(origins: readonly string[]): Promise<string> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const directory = await temporaryDir();
  const config = join(ROOT, 'deploy/Caddyfile');
  // It logs to stderr.
  const caddy = startProcess('sh', ['-c', `exec caddy run --adapter caddyfile --config ${config} 2>&1`], {
    SITE_ADDRESS: url,
    BIND_ADDRESS: '127.0.0.1',
    REPLICAS: origins.map((origin) => new URL(origin).host).join(' '),
    CADDY_ADMIN: `unix/${join(directory, 'admin.sock')}`,
    XDG_CONFIG_HOME: directory,
    XDG_DATA_HOME: directory,
  });
  await caddy.logged('serving initial configuration');
  return url;
}
