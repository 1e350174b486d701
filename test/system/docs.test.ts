import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { isAsShown, withRealIds, readPage, type Block } from '../kit/documentation.ts';
import { PAGES } from '../kit/pages.ts';
import { named } from '../kit/waits.ts';
import { createReader, type Reader } from './reader.ts';

/*
 * Every block of commands says behind its language, where readers do not see it, what becomes of it here:
 *
 *   sh run            runs; unless the page begins with servers, a gateway with the sandbox is at 127.0.0.1:4000
 *   sh server         one command, in the background from then on, in place of what was at its port before
 *   sh settings       an environment, which has to be accepted
 *   sh no-run WHY     does not run
 *   graphql run       is sent, with the variables of a block "json variables" that follows
 *   graphql no-run WHY
 *
 * A block without a language, or a plain "json", that follows one that runs is what it writes: see documented-output.ts.
 * Commands find the project's files in a directory of the page's own; folders in it are the project's, so nothing may
 * be written there. Variables of the shell stay.
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
