import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '../config/config-error.ts';
import { parseConfig, type Config } from '../config/config.ts';
import { MODELS, modelByName } from '../models/index.ts';
import { fieldsOf, textOf, type Fields } from '../providers/kie/wire.ts';
import { askProvider, dataOf } from './ask-provider.ts';
import { compareModel } from './compare-model.ts';
import { EXIT } from './exit.ts';

/** kie.ai admits one look-up per second. */
const PAUSE_MS = 1_100;

type Pause = (ms: number) => Promise<unknown>;

/**
 * Compares the models here with the provider's catalogue, prints the differences, and returns the exit code. Throws ConfigError
 * for a wrong environment, and an error that says what to do when the catalogue cannot be read.
 */
export async function checkModels(
  env: Readonly<Record<string, string | undefined>>,
  stdout: Writable,
  pause: Pause = delay,
): Promise<number> {
  const config = parseConfig(env);
  const counts = { added: 0, removed: 0, changed: 0 };
  const tell = (
    name: string,
    kind: keyof typeof counts,
    found: readonly string[],
    prices: readonly string[],
  ) => {
    if (found.length > 0) counts[kind] += 1;
    const lines = [...found.map((line) => `${kind}: ${line}`), ...prices];
    // The provider's words must not steer a terminal.
    const shown = lines.map((line) => `  ${line.replace(/[\p{Cc}\s]+/gu, ' ')}\n`);
    stdout.write(`${name}\n${shown.join('')}`);
  };

  const listed = await readCatalogue(config, pause);
  for (const model of MODELS) {
    const name = `${model.id} (${model.name})`;
    const here = `credits here: ${model.price.list} (${model.price.readAt})`;
    const entry = listed.get(model.name);
    if (!entry) {
      tell(name, 'removed', ['the provider does not list it'], [here]);
      continue;
    }
    await pause(PAUSE_MS);
    const answer = fieldsOf(await read(config, `/${model.name}/schema`, pause));
    const found = compareModel(model, answer?.['openapi']);
    const prices = [`credits there: ${priceIn(entry)}`, here];
    tell(name, 'changed', found ?? [], found ? prices : ['schema not known', ...prices]);
  }
  for (const [name, entry] of listed) {
    if (modelByName(name) || !isImageToVideo(entry)) continue;
    tell(name, 'added', [textOf(entry['title']) ?? 'no title'], [`credits there: ${priceIn(entry)}`]);
  }

  const { added, changed, removed } = counts;
  const isSame = added + changed + removed === 0;
  stdout.write(
    isSame ? '\nNothing differs.\n' : `\n${added} added, ${removed} removed, ${changed} changed.\n`,
  );
  // The provider has models that this version leaves out on purpose.
  return changed + removed === 0 ? EXIT.ok : EXIT.failed;
}

/** Every model of the provider by its id. */
async function readCatalogue(config: Config, pause: Pause): Promise<ReadonlyMap<string, Fields>> {
  const models = fieldsOf(await read(config, '', pause))?.['models'];
  if (!Array.isArray(models))
    throw new Error(
      `${config.kieApiUrl} answers with a catalogue of an unknown form. Install a newer Kineograph, or report it as a bug.`,
    );
  const entries = models.map((entry) => fieldsOf(entry) ?? {});
  return new Map(entries.map((entry) => [String(entry['model']), entry]));
}

async function read(config: Config, path: string, pause: Pause, tries = 5): Promise<unknown> {
  const answer = await askProvider(config, `/api/v1/models${path}`);
  if (tries > 1 && answer && 'envelope' in answer && answer.envelope?.code === 429) {
    // Somebody else had the look-up of this second.
    await pause(PAUSE_MS);
    return read(config, path, pause, tries - 1);
  }
  if (answer === null)
    throw new ConfigError([
      'KIE_API_KEY is not set: the catalogue needs the key from https://kie.ai/api-key',
    ]);
  const told = dataOf(config, answer);
  if ('mend' in told) throw new Error(`${told.message}. ${told.mend}`);
  return told.data;
}

function isImageToVideo({ taskType }: Fields): boolean {
  return [taskType].flat().some((type) => /^image.to.video$/i.test(String(type)));
}

function priceIn({ pricingDesc }: Fields): string {
  return textOf(pricingDesc) ?? 'not told';
}
