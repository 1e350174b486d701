import { z } from 'zod';
import { type Envelope, type RateWindow, refusal, success } from './envelope.ts';
import type { Call } from './http.ts';
import type { SandboxModel } from './model.ts';
import { MODELS } from './models.ts';

export const CATALOGUE_PATH = '/api/v1/models';

/**
 * `GET /api/v1/models`, and `schema`, `price` and `success-rate` of one model below it. One rate limit is for all of them
 * (kie.ai docs: "Install KIE models"). The slash of a model's name is not encoded.
 */
export function catalogueHandler(lookups: RateWindow) {
  return ({ path, query }: Call): Envelope => {
    if (!lookups.admit())
      return refusal(429, `Rate limit exceeded: ${lookups.limit} look-ups of models per second.`);
    if (path === CATALOGUE_PATH) return success(listFor(query));
    const [, name, about] =
      /^\/(.+)\/(schema|price|success-rate)$/.exec(path.slice(CATALOGUE_PATH.length)) ?? [];
    const model = MODELS.find((known) => known.name === name);
    if (!model) return refusal(404, 'The model name you specified is not supported.');
    return success({ model: model.name, ...DETAILS[about as keyof typeof DETAILS](model) });
  };
}

const DETAILS = {
  schema: (model: SandboxModel) => ({ openapi: openApi(model) }),
  price: ({ pricing }: SandboxModel) => ({ pricingDesc: pricing }),
  // No point means that nothing was measured.
  'success-rate': () => ({ points: [] }),
};

const TASK_TYPE = 'Image to Video';

function listFor(query: URLSearchParams): object {
  const taskTypes = query.get('taskType')?.split(',') ?? [TASK_TYPE];
  const word = (query.get('q') ?? '').toLowerCase();
  const models = MODELS.filter(
    ({ name, provider, title }) =>
      taskTypes.includes(TASK_TYPE) &&
      provider === (query.get('provider') ?? provider) &&
      `${name} ${title}`.toLowerCase().includes(word),
  );
  return { total: models.length, models: models.map(toEntry) };
}

function toEntry({ name, pricing, provider, title }: SandboxModel): object {
  const taskType = [TASK_TYPE];
  return { model: name, slug: name, title, provider, taskType, description: null, pricingDesc: pricing };
}

/** The documentation of createTask for one model. */
function openApi({ input, name, title }: SandboxModel): object {
  const schema = {
    type: 'object',
    properties: {
      model: { type: 'string', enum: [name] },
      callBackUrl: { type: 'string', format: 'uri' },
      input: z.toJSONSchema(input, { io: 'input' }),
    },
    required: ['model', 'input'],
  };
  const requestBody = { content: { 'application/json': { schema } } };
  return {
    openapi: '3.1.0',
    info: { title, version: '1.0.0' },
    paths: { '/api/v1/jobs/createTask': { post: { requestBody } } },
  };
}
