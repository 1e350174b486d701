import type { TaskPorts } from '../../src/tasks/ports.ts';
import type { TaskRecord } from '../../src/tasks/task.ts';
import { DEFAULT_TIMINGS } from '../../src/tasks/timings.ts';
import { create } from '../api/client.ts';
import type { ApiCreateResult } from '../kit/documents.ts';
import { startGateway, type Gateway, type GatewayOptions } from '../kit/gateway.ts';
import { createBody, created } from '../kit/kie.ts';
import type { Answer, ProviderRequest } from '../kit/provider.ts';
import { createQueue } from '../kit/waits.ts';
import { createStandingClock, type StandingClock } from '../webhooks/standing-clock.ts';

export interface StandingGateway extends Gateway {
  readonly clock: StandingClock;
  /** What its use cases work with. */
  readonly ports: TaskPorts;
  /** The oldest record that it has written and that was not taken by this method yet. */
  written(accepts: (record: TaskRecord) => boolean): Promise<TaskRecord>;
}

const { checkIntervalMax, checkIntervalMin } = DEFAULT_TIMINGS;

/** A gateway whose time stands still until the test moves it on, so that it may poll, and which tells what it has written. */
export async function startStandingGateway(
  options: GatewayOptions & { readonly clock?: StandingClock } = {},
): Promise<StandingGateway> {
  const { clock = createStandingClock(), overrides, ...others } = options;
  const writes = createQueue<TaskRecord>('a record that the gateway writes, or finds by its key');

  async function told<T extends TaskRecord | null>(write: Promise<T>): Promise<T> {
    const record = await write;
    if (record) writes.push(record);
    return record;
  }
  const opened: TaskPorts[] = [];
  const wrap = (ports: TaskPorts): TaskPorts => {
    const { store } = ports;
    const toldStore = {
      ...store,
      insert: (record: TaskRecord) => told(store.insert(record)),
      getByKey: (owner: string, key: string) => told(store.getByKey(owner, key)),
      save: (record: TaskRecord) => told(store.save(record)),
      amend: (record: TaskRecord) => told(store.amend(record)),
    };
    const used = { ...ports, store: toldStore };
    opened.push(used);
    return used;
  };
  const timings = { checkIntervalMax, checkIntervalMin, ...overrides?.timings };
  const gateway = await startGateway({ ...others, overrides: { ...overrides, clock, timings, wrap } });
  const [ports] = opened;
  if (!ports) throw new Error('the gateway did not ask for its ports');
  return { ...gateway, clock, ports, written: (accepts) => writes.take(accepts) };
}

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
