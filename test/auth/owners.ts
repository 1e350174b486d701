import type { TaskStore } from '../../src/tasks/store.ts';
import type { VisibleRecord } from '../../src/tasks/task.ts';
import type { Gateway } from '../kit/gateway.ts';
import { graphql } from '../kit/graphql.ts';
import { startHeldGateway, type HeldGateway } from '../websocket/held-gateway.ts';
import { addTask } from '../websocket/stored-tasks.ts';

export const API_KEYS = 'ada:key-of-ada,ben:key-of-ben';

/** What an owner sends to be known. */
export const ADA = { authorization: 'Bearer key-of-ada' };
export const BEN = { authorization: 'Bearer key-of-ben' };

interface TwoOwners extends HeldGateway {
  readonly adas: VisibleRecord;
  readonly bens: VisibleRecord;
  readonly store: TaskStore;
}

/** A gateway with one task of each of two owners. */
export async function startWithTwoOwners(): Promise<TwoOwners> {
  const kit = await startHeldGateway({ env: { API_KEYS } });
  const adas = await addTask(kit.store, { owner: 'ada', prompt: "Ada's wish" });
  const bens = await addTask(kit.store, { owner: 'ben', prompt: "Ben's wish" });
  return { ...kit, adas, bens };
}

/** The body of an answer over HTTP. */
export async function ask<TData>(
  { graphqlUrl }: Gateway,
  who: Readonly<Record<string, string>>,
  ...[query, variables]: Parameters<typeof graphql<TData>> extends [unknown, ...infer Rest] ? Rest : never
) {
  return (await graphql<TData>(graphqlUrl, query, variables, who)).body;
}
