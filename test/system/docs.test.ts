import { readdirSync, symlinkSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { parseConfig } from '../../src/config/config.ts';
import { isAsShown, readPage, withRealIds, type Block } from '../kit/documentation.ts';
import { temporaryDir } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { PAGES } from '../kit/pages.ts';
import { ROOT, startProcess, type TestProcess } from '../kit/process.ts';
import { openSse } from '../kit/sse.ts';
import { startTcpProxy } from '../kit/tcp-proxy.ts';
import { named } from '../kit/waits.ts';

/*
 * Every block of commands says behind its language what becomes of it here: `sh run`, with a gateway with the sandbox at
 * 127.0.0.1:4000 unless the page begins with servers; `sh server` goes on in the background, in place of what was at its port;
 * `sh settings` is an environment that has to be accepted; `sh no-run WHY`; `graphql run` is sent, with the variables of a
 * block `json variables` that follows; `graphql no-run WHY`. A block without a language, or a plain `json`, is what the one
 * before it writes, as kit/documentation.ts compares it. Folders of the project must not be written to.
 */
test('the commands and operations of all pages, copied and pasted in order, do and answer what the pages show', async () => {
  const failures = await Promise.all(PAGES.map(follow));
  expect(failures.flat()).toEqual([]);
});

interface Step {
  readonly block: Block;
  readonly decision: string;
  readonly variables: Block | undefined;
  readonly output: Block | undefined;
}

/** Resolves with what went wrong; the rest of the page is left then. */
async function follow(page: string): Promise<readonly string[]> {
  try {
    const steps = readPage(page).blocks.flatMap(stepAt);
    const acting = steps.filter(({ decision }) => decision === 'run' || decision === 'server');
    if (acting.length > 0) await act(acting);
    for (const { block } of steps.filter(({ decision }) => decision === 'settings')) accept(block);
    return [];
  } catch (error) {
    return [`${page}: ${String(error)}`];
  }
}

function stepAt(block: Block, index: number, blocks: readonly Block[]): Step[] {
  if (!/^(sh|shell|bash|console|graphql)$/.test(block.language)) return [];
  const decision = `${block.language} ${block.words}`;
  if (!/^(sh (run|server|settings|no-run .+)|graphql (run|no-run .+))$/.test(decision)) {
    throw new Error(`${block.place}: "${decision}" does not say what becomes of it; docs.test.ts lists how`);
  }
  const rest = blocks.slice(index + 1);
  const variables = rest[0]?.words === 'variables' ? rest.shift() : undefined;
  const [next] = rest;
  const isOutput = next?.words === '' && (next.language === '' || next.language === 'json');
  return [{ block, decision: block.words, variables, output: isOutput ? next : undefined }];
}

async function act(steps: readonly Step[]): Promise<void> {
  const commands = steps.map(({ block }) => block.text).join('\n');
  const reader = await createReader(
    [...commands.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port = '']) => port),
  );
  if (steps[0]?.decision !== 'server') await reader.serve('npm start');
  const real = new Map<string, string>();
  for (const step of steps) {
    const { block, output } = step;
    try {
      const written = await named(`${block.place} to end`, take(reader, step, real));
      if (output && !isAsShown(output.text, written, real)) {
        throw new Error(`it shows\n${output.text}\nbut it was\n${written}`);
      }
    } catch (error) {
      throw new Error(`${block.place}: ${String(error)}`, { cause: error });
    }
  }
}

async function take(
  reader: Reader,
  { block, decision, output, variables }: Step,
  real: Map<string, string>,
): Promise<string> {
  const text = withRealIds(block.text, real);
  if (decision === 'server') return reader.serve(text).then(() => '');
  if (block.language === 'sh') return reader.run(text);
  const values = JSON.parse(withRealIds(variables?.text ?? '{}', real)) as Record<string, unknown>;
  return reader.ask(text, values, (sofar) => output !== undefined && isAsShown(output.text, sofar, real));
}

/** Each of its `…` stands for a secret of its own. */
function accept({ place, text }: Block): void {
  let secrets = 0;
  const env = parseEnv(text.replaceAll('…', () => `a-secret-of-thirty-two-characters-${secrets++}`));
  expect(() => parseConfig(env), place).not.toThrow();
}

interface Address {
  /** The proxy's, known before the server's own. */
  readonly port: number;
  target: number;
  server?: TestProcess;
}

const DEFAULT_PORT = '4000';
const PORT = /(?<=\bPORT=|--port )\d+/;

type Reader = Awaited<ReturnType<typeof createReader>>;

/** Somebody who follows a page in a clone of the project, with one shell and a client of the API; `ports` are those that it names. */
async function createReader(ports: Iterable<string>) {
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
    /** Starts the server that this command starts and waits until it listens; the one before at its address is stopped. */
    async serve(command: string): Promise<void> {
      const address = addresses.get(PORT.exec(command)?.[0] ?? DEFAULT_PORT);
      if (!address) throw new Error(`No other block names the port of: ${command}`);
      address.server?.signal('SIGTERM');
      await address.server?.exited;
      // Without a shell in between, which would not pass a signal on.
      address.server = start(`exec env ${here(command).replace(PORT, '0')}`);
      const line = await address.server.line((text) => text.includes('listen') && /:\d+/.test(text));
      address.target = Number(/:\/\/[\w.]+:(\d+)/.exec(line)?.[1]);
    },
    /** Runs a script to its end and resolves with what it wrote; rejects when it fails. Its variables stay. */
    async run(script: string): Promise<string> {
      const shell = start(`set -a; [ -f .shell ] && . ./.shell\n${here(script)}\nexport -p > .shell`);
      const { code } = await shell.exited;
      if (code !== 0) throw new Error(`It ended with ${code ?? '?'}: ${shell.stdout()}${shell.stderr()}`);
      // Where a page says `ID=…`, its reader puts in the id that was just shown.
      const [id] = /(?<="id": ?")[^"]+(?!.*"id":)/s.exec(shell.stdout()) ?? [];
      if (id !== undefined) await appendFile(join(clone, '.shell'), `ID=${id}\n`);
      return shell.stdout();
    },
    /** What is answered, as JSON; of a subscription every event in a line of its own, until the text is enough. */
    async ask(query: string, variables: object, isEnough: (text: string) => boolean): Promise<string> {
      const url = here(`http://127.0.0.1:${DEFAULT_PORT}/graphql`);
      if (!query.startsWith('subscription')) {
        return JSON.stringify((await graphql(url, query, { ...variables })).body);
      }
      let text = '';
      for await (const event of await openSse(url, { query, variables: { ...variables } })) {
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

const SCRIPTS: Readonly<Record<string, string>> = manifest.scripts;

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
