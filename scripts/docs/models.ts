import { choiceInWords, valuesInWords } from '../../src/cli/models.ts';
import type { FieldSupport, ImageRules, Model } from '../../src/models/define-model.ts';
import { DEFAULT_MODEL, MODELS, withDefaults } from '../../src/models/index.ts';
import { table } from './markdown.ts';

/** The text of docs/models.md: what every model takes and costs. */
export function renderModels(): string {
  return [HEADER, table(OVERVIEW, MODELS.map(toRow)), ...MODELS.map(toSection)].join('\n\n');
}

const HEADER = `# Models

Generated from src/models by \`npm run schema\`.

\`CreateImageToVideoInput.model\` takes one of these values; without it the model is \`${DEFAULT_MODEL.id}\`. The query \`models\`
returns these facts but combinations and prices, and \`MODELS\` ([configuration.md](configuration.md)) restricts which ones clients may use.

The facts are copies of kie.ai's documentation. They were not tried against the live service. If a fact is wrong, kie.ai
refuses the create call with code 422, which costs nothing, and the client gets \`INVALID_INPUT\`. Prices are in credits, as
kie.ai's price list was read in the month given; they change within a quarter. What kie.ai charged for a task is in
\`Task.creditsConsumed\`.

\`kineograph models\` lists the models on the command line. \`kineograph models check\` compares them with the catalogue of
kie.ai: it prints which models were added or removed there, which fields, values, defaults and limits differ, and the prices
in the words of kie.ai. It needs \`KIE_API_KEY\`, costs nothing, and takes about 12 seconds. Its exit code is 1
when a model of this page was removed or changed there, or when the catalogue cannot be read.`;

const OVERVIEW = ['value', 'model', 'seconds', 'resolution', 'credits'];

function toRow(model: Model): readonly string[] {
  const { durationSeconds, id, price, resolution, title } = model;
  const link = `[${title}](#${id.toLowerCase()})`;
  return [`\`${id}\``, link, choiceInWords(durationSeconds), choiceInWords(resolution), price.list];
}

function toSection(model: Model): string {
  const { id, name, page, title } = model;
  return [
    `## ${id}`,
    `${title}, \`${name}\` ([page of kie.ai](${page})).`,
    table(['field', 'values', 'without it'], fieldRows(model)),
    [...conflictsOf(model), imagesOf(model), priceOf(model)].map((line) => `- ${line}`).join('\n'),
  ].join('\n\n');
}

function fieldRows(model: Model): readonly (readonly string[])[] {
  const { durationSeconds, negativePrompt, prompt, resolution, seed, sound } = model;
  const rows: readonly (readonly [field: string, values: string | null, without: string])[] = [
    ['prompt', `${prompt.minLength} to ${prompt.maxLength} characters`, 'refused'],
    ['imageUrl', 'the first image', 'refused'],
    ['endImageUrl', ifSupported(model.lastImage, 'the last image'), 'no last image'],
    ['durationSeconds', valuesInWords(durationSeconds.values), String(durationSeconds.default)],
    ['resolution', valuesInWords(resolution.values), String(resolution.default)],
    ['sound', ifSupported(sound.support, '`true` or `false`'), String(sound.default)],
    ['negativePrompt', negativePrompt && `at most ${negativePrompt.maxLength} characters`, 'none'],
    ['seed', seed && `0 to ${seed.max}`, 'chosen by kie.ai'],
    ['promptOptimizer', ifSupported(model.promptOptimizer, '`true` or `false`'), 'decided by kie.ai'],
  ];
  return rows.flatMap(([field, values, without]) => (!values ? [] : [[`\`${field}\``, values, without]]));
}

function ifSupported(support: FieldSupport, values: string): string | null {
  return support === 'NONE' ? null : values;
}

/** Every pair of duration and resolution that the model refuses. */
function conflictsOf(model: Model): readonly string[] {
  return model.durationSeconds.values.flatMap((durationSeconds) =>
    model.resolution.values.flatMap((resolution) => {
      const conflict = model.conflict({ ...withDefaults(model), durationSeconds, resolution });
      return conflict
        ? [`Refused: ${durationSeconds} s at ${resolution}. \`${conflict.field}\` ${conflict.message}`]
        : [];
    }),
  );
}

function imagesOf({ image, imageRulesAre }: Model): string {
  const source = imageRulesAre === 'documented' ? 'documented' : 'assumed, since the page states no rules';
  return `Images (${source}): ${rulesInWords(image)}.`;
}

function rulesInWords({ maxBytes, maxRatio, maxSide, mediaTypes, minSide }: ImageRules): string {
  const types = mediaTypes.map((type) => type.replace('image/', ''));
  return [
    new Intl.ListFormat('en', { type: 'disjunction' }).format(types),
    `at most ${maxBytes / 1024 / 1024} MB`,
    minSide !== null && `each side at least ${minSide} pixels`,
    maxSide !== null && `each side at most ${maxSide} pixels`,
    maxRatio !== null && `the longer side at most ${maxRatio} times the shorter one`,
  ]
    .filter(Boolean)
    .join(', ');
}

function priceOf({ price }: Model): string {
  const month = new Date(`${price.readAt}-01`).toLocaleString('en', {
    month: 'long',
    year: 'numeric',
    timeZone: 'UTC',
  });
  const seen = price.isSeen ? 'Others have seen such a charge' : 'No such charge was seen';
  return `Credits (${month}): ${price.list}. ${seen}.`;
}
