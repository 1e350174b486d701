import { appendFile } from 'node:fs/promises';
import { readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { ROOT, startProcess, type TestProcess } from '../kit/process.ts';
import { openSse } from '../kit/sse.ts';
import { startTcpProxy } from '../kit/tcp-proxy.ts';

/** Somebody who follows a page in a clone of the project: with one shell and a client of the API. */
export interface Reader {
  /** Starts the server that this command starts and waits until it listens; the one before at its address is stopped. */
  serve(command: string): Promise<void>;
  /** Runs a script to its end and resolves with what it wrote; rejects when it fails. Its variables stay. */
  run(script: string): Promise<string>;
  /** What is answered, as JSON; of a subscription every event in a line of its own, until the text is enough. */
  ask(query: string, variables: Variables, isEnough: (text: string) => boolean): Promise<string>;
}

type Variables = Readonly<Record<string, unknown>>;

interface Address {
  /** The proxy's, known before the server's own. */
  readonly port: number;
  target: number;
  server?: TestProcess;
}

const DEFAULT_PORT = '4000';
const PORT = /(?<=\bPORT=|--port )\d+/;

/** `ports` are those that the page names. Everything is gone at the end of the test. */
export async function createReader(ports: Iterable<string>): Promise<Reader> {
  const clone = await temporaryClone();
  const addresses = new Map<string, Address>();
  for (const port of new Set([DEFAULT_PORT, ...ports])) addresses.set(port, await openAddress());

  function here(script: string): string {
    return [...addresses].reduce(
      (changed, [shown, { port }]) => changed.replaceAll(`127.0.0.1:${shown}`, `127.0.0.1:${port}`),
      asInstalled(script),
    );
  }

  const start = (script: string) => startProcess('bash', ['-ec', script], ENVIRONMENT, clone);

  return {
    async serve(command) {
      const address = addresses.get(PORT.exec(command)?.[0] ?? DEFAULT_PORT);
      if (!address) throw new Error(`No other block names the port of: ${command}`);
      address.server?.signal('SIGTERM');
      await address.server?.exited;
      // Without a shell in between, which would not pass a signal on.
      address.server = start(`exec env ${here(command).replace(PORT, '0')}`);
      const line = await address.server.line((text) => /listen.*:\d+/.test(text));
      address.target = Number(/:\/\/[\w.]+:(\d+)/.exec(line)?.[1]);
    },
    async run(script) {
      const shell = start(`set -a; [ -f .shell ] && . ./.shell\n${here(script)}\nexport -p > .shell`);
      const { code } = await shell.exited;
      if (code !== 0) throw new Error(`It ended with ${code ?? '?'}: ${shell.stdout()}${shell.stderr()}`);
      // Where a page says `ID=…`, its reader puts in the id that was just shown.
      const [id] = /(?<="id": ?")[^"]+(?!.*"id":)/s.exec(shell.stdout()) ?? [];
      if (id !== undefined) await appendFile(join(clone, '.shell'), `ID=${id}\n`);
      return shell.stdout();
    },
    async ask(query, variables, isEnough) {
      const url = here(`http://127.0.0.1:${DEFAULT_PORT}/graphql`);
      if (!query.startsWith('subscription')) {
        return JSON.stringify((await graphql(url, query, variables)).body);
      }
      let text = '';
      for await (const event of await openSse(url, { query, variables })) {
        text += `${JSON.stringify(event)}\n`;
        if (isEnough(text)) break;
      }
      return text;
    },
  };
}

const ENVIRONMENT = { PORT: '0', PATH: `${ROOT}node_modules/.bin:${process.env['PATH'] ?? ''}` };

/** What `npm run test:system` has done before, installing and building, is left out: other tests use its outcome now. */
function asInstalled(script: string): string {
  return script
    .replace(/npm (?:ci|run build)(?: && |\n|$)/g, '')
    .replace(/npm (?:run )?([\w:]+)(?: --)?/g, (command, name: string) => SCRIPTS[name] ?? command)
    .replaceAll('npm run --silent build && ', '');
}

const { scripts: SCRIPTS } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

/** What is written at its top, `data` and `.env` for instance, is nobody else's; its folders are the project's own. */
async function temporaryClone(): Promise<string> {
  const clone = await temporaryDir();
  for (const name of readdirSync(ROOT)) {
    if (!['.env', '.git', 'data'].includes(name)) symlinkSync(ROOT + name, join(clone, name));
  }
  return clone;
}

async function openAddress(): Promise<Address> {
  const address = { target: 0 };
  const { port } = await startTcpProxy(() => address.target);
  return Object.assign(address, { port });
}
