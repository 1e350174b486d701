import { create } from '../api/client.ts';
import type { ApiCreateResult } from '../kit/documents.ts';
import { createBody, created } from '../kit/kie.ts';
import type { Answer, ProviderRequest } from '../kit/provider.ts';
import type { StandingGateway } from './standing-gateway.ts';

/** Sends mutations one after the other, each a millisecond younger than the last, without waiting for their answers. */
export async function wishFor(
  gateway: StandingGateway,
  ...prompts: readonly string[]
): Promise<Promise<ApiCreateResult>[]> {
  const results: Promise<ApiCreateResult>[] = [];
  for (const prompt of prompts) {
    gateway.clock.advance(1);
    results.push(create(gateway, { prompt }));
    await gateway.written((record) => record.prompt === prompt);
  }
  return results;
}

/** What a create call asks for. */
export function promptOf(request: ProviderRequest): string {
  return createBody(request).input.prompt;
}

/** Accepts a create call under an id that is its prompt. */
export function acceptedAsPrompt(request: ProviderRequest): Answer {
  return created(promptOf(request));
}
