import { listPrice } from '../models/index.ts';
import { checkNew, type Rejected } from './create.ts';
import type { TaskPorts } from './ports.ts';
import type { CreateInput } from './validate-input.ts';

/** What a video would cost, and how long it may take. */
export interface Estimate {
  /** null if nobody knows. */
  readonly credits: number | null;
  /** CHARGED: what the last video of this kind was charged here. null with `credits`. */
  readonly source: 'CHARGED' | 'PRICE_LIST' | null;
  /** null until this gateway has enough videos of this kind. */
  readonly expectedSeconds: number | null;
}

export type EstimateResult = { readonly kind: 'estimate'; readonly estimate: Estimate } | Rejected;

/**
 * Checks an input as `createTask` checks a new one, and estimates its video. Stores, sends and fetches nothing. Rejects as it
 * does.
 */
export async function estimateTask(
  ports: TaskPorts,
  owner: string,
  input: CreateInput,
  stopping: AbortSignal,
): Promise<EstimateResult> {
  const checked = await checkNew(ports, owner, input, { stopping, mayFetch: false });
  if ('kind' in checked) return checked;
  const { recent } = ports;
  const charge = await recent.lastCharge(checked.input);
  const price = listPrice(checked.model, checked.input);
  const duration = await recent.medianDuration(checked.input);
  const estimate: Estimate = {
    credits: charge ?? price,
    source: charge !== null ? 'CHARGED' : price === null ? null : 'PRICE_LIST',
    expectedSeconds: duration === null ? null : Math.round(duration / 1000),
  };
  return { kind: 'estimate', estimate };
}
