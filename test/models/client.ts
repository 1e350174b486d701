import type { Fields, Reachable } from '../api/client.ts';
import { input } from '../kit/documents.ts';
import { dataOf, graphql, type Document } from '../kit/graphql.ts';

export interface ApiOptions {
  readonly durationSeconds: number | null;
  readonly resolution: string | null;
  readonly sound: boolean | null;
  readonly negativePrompt: string | null;
  readonly seed: number | null;
}

interface ApiTaskOptions {
  readonly options: ApiOptions;
  readonly modelInfo: { readonly id: string; readonly title: string } | null;
}

const OPTIONS: Document<{ readonly task: ApiTaskOptions }> = `query ($id: ID!) {
  task(id: $id) {
    options { durationSeconds resolution sound negativePrompt seed }
    modelInfo { id title }
  }
}`;

/** What a task says of its options and its model. */
export async function optionsOf({ graphqlUrl }: Reachable, id: string): Promise<ApiTaskOptions> {
  return dataOf((await graphql(graphqlUrl, OPTIONS, { id })).body).task;
}

export interface ApiEstimate {
  readonly __typename: 'ImageToVideoEstimate' | 'ValidationError' | 'ProviderError';
  readonly credits?: number | null;
  readonly source?: string | null;
  readonly expectedSeconds?: number | null;
  readonly code?: string;
  readonly issues?: readonly { readonly path: readonly string[]; readonly code: string }[];
}

const ESTIMATE: Document<{ readonly estimateImageToVideo: ApiEstimate }> = `
  query ($input: CreateImageToVideoInput!) {
    estimateImageToVideo(input: $input) {
      __typename
      ... on ImageToVideoEstimate { credits source expectedSeconds }
      ... on ValidationError { issues { path code } }
      ... on ProviderError { code }
    }
  }`;

/** `estimateImageToVideo` with a valid input and these fields. */
export async function estimate({ graphqlUrl }: Reachable, fields: Fields = {}): Promise<ApiEstimate> {
  const { body } = await graphql(graphqlUrl, ESTIMATE, { input: input(fields) });
  return dataOf(body).estimateImageToVideo;
}

export interface ApiModel {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly promptMinLength: number;
  readonly promptMaxLength: number;
  readonly lastImage: string;
  readonly durations: readonly number[];
  readonly defaultDuration: number | null;
  readonly resolutions: readonly string[];
  readonly defaultResolution: string | null;
  readonly sound: string;
  readonly negativePrompt: string;
  readonly seed: string;
  readonly promptOptimizer: string;
  readonly image: {
    readonly mediaTypes: readonly string[];
    readonly maxBytes: number;
    readonly minSide: number | null;
    readonly maxRatio: number | null;
  };
  readonly status: string;
}

const MODELS: Document<{ readonly models: readonly ApiModel[] }> = `{
  models {
    id name title promptMinLength promptMaxLength lastImage durations defaultDuration resolutions defaultResolution
    sound negativePrompt seed promptOptimizer image { mediaTypes maxBytes minSide maxRatio } status
  }
}`;

/** `models`. */
export async function listModels({ graphqlUrl }: Reachable): Promise<readonly ApiModel[]> {
  return dataOf((await graphql(graphqlUrl, MODELS)).body).models;
}
