import type { FieldSupport, ImageRules, Model, Resolution, VideoOptions } from '../models/define-model.ts';
import { MODELS, type ModelId, modelByName } from '../models/index.ts';
import { modelStatus, models } from '../resolvers/queries.ts';
import type { ModelStatus } from '../tasks/recent-tasks.ts';
import { builder, enumValues } from './builder.ts';
import { isEvent, TaskType } from './task.ts';

export const ImageToVideoModelEnum = builder.enumType('ImageToVideoModel', {
  description: 'A model of the provider. Query `models` for what each one takes.',
  values: enumValues(
    Object.fromEntries(MODELS.map(({ id, name, title }) => [id, `${title}: ${name}.`])) as Record<
      ModelId,
      string
    >,
  ),
});

export const VideoResolutionEnum = builder.enumType('VideoResolution', {
  description: 'The short side of a video in pixels.',
  values: enumValues<Resolution>({
    P480: '480 pixels.',
    P512: '512 pixels.',
    P720: '720 pixels.',
    P768: '768 pixels.',
    P1080: '1080 pixels.',
    P1440: '1440 pixels, which the provider calls 2K.',
  }),
});

const FieldSupportEnum = builder.enumType('FieldSupport', {
  description: 'Whether a model has an input field.',
  values: enumValues<FieldSupport>({
    NONE: 'The model does not have the field.',
    OPTIONAL: 'The model has the field.',
    REQUIRED: 'The provider requires the field. A client may leave it out if the model has a default.',
  }),
});

const ModelStatusEnum = builder.enumType('ModelStatus', {
  description: 'How well a model works at present, by the tasks of this gateway.',
  values: enumValues<ModelStatus>({
    AVAILABLE: 'The last tasks give no reason for doubt.',
    FAILING:
      "More than half of the last 20 tasks of this model within a day, and of at least five, failed through the provider's fault.",
  }),
});

const ImageRulesType = builder.objectRef<ImageRules>('ImageRules').implement({
  description: 'What a model takes as an image.',
  fields: (t) => ({
    mediaTypes: t.stringList({
      description: 'The media types, such as image/jpeg.',
      resolve: ({ mediaTypes }) => mediaTypes,
    }),
    maxBytes: t.exposeInt('maxBytes', { description: 'The largest size of the file in bytes.' }),
    minSide: t.exposeInt('minSide', {
      nullable: true,
      description: 'The least pixels of the shorter side. null when not known.',
    }),
    maxSide: t.exposeInt('maxSide', {
      nullable: true,
      description: 'The most pixels of the longer side. null when not known.',
    }),
    maxRatio: t.exposeFloat('maxRatio', {
      nullable: true,
      description: 'The most that the longer side may have, divided by the shorter one. null when not known.',
    }),
  }),
});

const ModelType = builder.objectRef<Model>('Model').implement({
  description: 'A model and what it takes.',
  fields: (t) => ({
    id: t.field({
      type: ImageToVideoModelEnum,
      description: 'The value for `CreateImageToVideoInput.model`.',
      resolve: ({ id }) => id as ModelId,
    }),
    name: t.exposeString('name', { description: "The provider's name for the model, as in `Task.model`." }),
    title: t.exposeString('title', { description: 'The name for people.' }),
    promptMinLength: t.int({
      description: 'The shortest prompt, in Unicode code points.',
      resolve: ({ prompt }) => prompt.minLength,
    }),
    promptMaxLength: t.int({
      description: 'The longest prompt, in Unicode code points.',
      resolve: ({ prompt }) => prompt.maxLength,
    }),
    lastImage: t.expose('lastImage', { type: FieldSupportEnum, description: 'Support of `endImageUrl`.' }),
    durations: t.intList({
      description: 'The values of `durationSeconds`, ascending. Empty when there is nothing to choose.',
      resolve: ({ durationSeconds }) => durationSeconds.values,
    }),
    defaultDuration: t.int({
      nullable: true,
      description: 'The seconds of a video without a choice. null when not known.',
      resolve: ({ durationSeconds }) => durationSeconds.default,
    }),
    resolutions: t.field({
      type: [VideoResolutionEnum],
      description: 'The values of `resolution`, ascending. Empty when there is nothing to choose.',
      resolve: ({ resolution }) => resolution.values,
    }),
    defaultResolution: t.field({
      type: VideoResolutionEnum,
      nullable: true,
      description: 'The resolution of a video without a choice. null when not known.',
      resolve: ({ resolution }) => resolution.default,
    }),
    sound: t.field({
      type: FieldSupportEnum,
      description: 'Support of `sound`.',
      resolve: ({ sound }) => sound.support,
    }),
    defaultSound: t.boolean({
      nullable: true,
      description: 'Whether a video without a choice has sound. null when not known.',
      resolve: ({ sound }) => sound.default,
    }),
    negativePrompt: t.field({
      type: FieldSupportEnum,
      description: 'Support of `negativePrompt`.',
      resolve: ({ negativePrompt }) => (negativePrompt ? 'OPTIONAL' : 'NONE'),
    }),
    negativePromptMaxLength: t.int({
      nullable: true,
      description: 'The longest negative prompt, in Unicode code points. null when the model has none.',
      resolve: ({ negativePrompt }) => negativePrompt?.maxLength,
    }),
    seed: t.field({
      type: FieldSupportEnum,
      description: 'Support of `seed`.',
      resolve: ({ seed }) => (seed ? 'OPTIONAL' : 'NONE'),
    }),
    seedMax: t.int({
      nullable: true,
      description: 'The largest seed; the smallest is 0. null when the model has none.',
      resolve: ({ seed }) => seed?.max,
    }),
    promptOptimizer: t.expose('promptOptimizer', {
      type: FieldSupportEnum,
      description: 'Support of `promptOptimizer`.',
    }),
    image: t.expose('image', { type: ImageRulesType, description: 'What the model takes as an image.' }),
    status: t.field({
      type: ModelStatusEnum,
      description:
        'How well the model works at present, by the last tasks of this gateway. Always AVAILABLE in events, which cannot tell: select it in queries.',
      resolve: ({ name }, _args, context, info) => modelStatus(name, context, { isEvent: isEvent(info) }),
    }),
  }),
});

const VideoOptionsType = builder.objectRef<VideoOptions>('VideoOptions').implement({
  description:
    'The options of a video: as they were sent, or as the model fixes them. A field is null if the model does not have it or nobody knows its value.',
  fields: (t) => ({
    durationSeconds: t.exposeInt('durationSeconds', { nullable: true, description: 'Length of the video.' }),
    resolution: t.expose('resolution', {
      type: VideoResolutionEnum,
      nullable: true,
      description: 'Resolution of the video.',
    }),
    sound: t.exposeBoolean('sound', { nullable: true, description: 'Whether the video has sound.' }),
    negativePrompt: t.exposeString('negativePrompt', {
      nullable: true,
      description: 'What should not be in the video.',
    }),
    seed: t.exposeInt('seed', { nullable: true, description: 'The seed of the random numbers.' }),
  }),
});

builder.objectFields(TaskType, (t) => ({
  options: t.expose('options', {
    type: VideoOptionsType,
    description: "The options, with the model's defaults at the time of creation.",
  }),
  modelInfo: t.field({
    type: ModelType,
    nullable: true,
    description: 'What the model takes. null when this version of the gateway does not know the model.',
    resolve: ({ model }) => modelByName(model),
  }),
}));

builder.queryField('models', (t) =>
  t.field({
    type: [ModelType],
    description: 'The models that this gateway offers, the default model first if it is offered.',
    resolve: (_root, _args, context) => models(context),
  }),
);
