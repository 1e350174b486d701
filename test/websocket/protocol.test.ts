import { describe, expect, test } from 'vitest';
import { CREATE, TASK, TASKS_UPDATED, TASK_UPDATED, input } from '../kit/documents.ts';
import { openGraphqlWs, type GraphqlWsClient } from '../kit/graphql-ws.ts';
import { created } from '../kit/kie.ts';
import { startFakeProvider } from '../kit/provider.ts';
import { startHeldGateway } from './held-gateway.ts';
import { addTask, change } from './stored-tasks.ts';

/** What a client may get wrong in one operation without harm to the others. */
const MISTAKES = [
  { what: 'a syntax error', payload: { query: 'subscription { taskUpdated(' }, says: 'Syntax Error' },
  { what: 'an empty document', payload: { query: '' }, says: 'Syntax Error' },
  { what: 'an unknown field', payload: { query: '{ noSuchField }' }, says: 'noSuchField' },
  { what: 'an unknown argument', payload: { query: '{ task(id: "a", size: 1) { id } }' }, says: 'size' },
  {
    what: 'an unknown operation name',
    payload: { query: 'query A { __typename }', operationName: 'B' },
    says: 'operation',
  },
  {
    what: 'several operations and no name',
    payload: { query: 'query A { __typename } query B { __typename }' },
    says: 'operation',
  },
  { what: 'no operation at all', payload: { query: 'fragment F on Task { id }' }, says: 'F' },
];

/** What only the execution finds out: a result with errors, then completion. */
const WRONG_VARIABLES: readonly {
  readonly what: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}[] = [
  { what: 'a missing variable', query: TASK_UPDATED, variables: {} },
  { what: 'a variable that is null', query: TASK_UPDATED, variables: { id: null } },
  { what: 'a variable of a wrong type', query: TASKS_UPDATED, variables: { after: 'soon' } },
  { what: 'a missing variable of a query', query: TASK, variables: {} },
  { what: 'a missing variable of a mutation', query: CREATE, variables: {} },
];

/** Opens a socket with one subscription; `livesOn` proves that it still gets what changes. */
async function openWithWatch() {
  const kit = await startHeldGateway();
  let task = await addTask(kit.store);
  const client = await openGraphqlWs(kit.gateway.graphqlUrl);
  const watch = client.subscribe({ query: TASKS_UPDATED, variables: { after: 0 } }, 'watch');
  await watch.next();
  const livesOn = async (): Promise<void> => {
    task = await change(kit.store, task, { state: 'QUEUING' });
    expect((await watch.data()).tasksUpdated.revision).toBe(task.revision);
    expect(kit.gateway.app.stats().listeners).toBe(1);
  };
  return { ...kit, client, livesOn };
}

/** The messages to one operation. */
function messagesTo({ messages }: GraphqlWsClient, id: string): readonly string[] {
  return messages.filter((message) => message.id === id).map(({ type }) => type);
}

describe('a socket', () => {
  test.each(MISTAKES)(
    'answers $what with an `error` for that operation only, and the others live on',
    async ({ payload, says }) => {
      const { client, livesOn } = await openWithWatch();
      const wrong = client.subscribe(payload, 'wrong');
      expect(JSON.stringify(await wrong.errors())).toContain(says);
      await livesOn();
      expect(messagesTo(client, 'wrong')).toEqual(['error']);
      // The id is free again.
      await client.subscribe({ query: '{ __typename }' }, 'wrong').data();
    },
  );

  test.each(WRONG_VARIABLES)(
    'answers $what for that operation only, naming the variable, and the others live on',
    async ({ query, variables }) => {
      const { client, livesOn } = await openWithWatch();
      const wrong = client.subscribe({ query, variables }, 'wrong');
      expect((await wrong.next()).errors).toMatchObject([
        { message: expect.stringContaining('Variable') as string },
      ]);
      await wrong.completed();
      await livesOn();
      expect(messagesTo(client, 'wrong')).toEqual(['next', 'complete']);
    },
  );

  test('answers an unknown id for that operation only, and the others live on', async () => {
    const { client, livesOn } = await openWithWatch();
    const wrong = client.subscribe({ query: TASK_UPDATED, variables: { id: 'no-such-task' } }, 'wrong');
    expect((await wrong.next()).errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    await wrong.completed();
    await livesOn();
  });

  test('takes queries and mutations as well, each answered once and completed', async () => {
    const provider = await startFakeProvider();
    const { gateway } = await startHeldGateway({ provider });
    const client = await openGraphqlWs(gateway.graphqlUrl);
    provider.answer('createTask', created('kie-1'));

    const create = client.subscribe({ query: CREATE, variables: { input: input() } });
    const { createImageToVideo: result } = await create.data();
    if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
    await create.completed();

    const query = client.subscribe({ query: TASK, variables: { id: result.task.id } });
    expect((await query.data()).task).toEqual(result.task);
    await query.completed();
    expect(messagesTo(client, create.id)).toEqual(['next', 'complete']);
    expect(messagesTo(client, query.id)).toEqual(['next', 'complete']);
  });

  test('runs the operation that is named, of a document with several', async () => {
    const { gateway } = await startHeldGateway();
    const client = await openGraphqlWs(gateway.graphqlUrl);
    const query = 'query A { a: __typename } query B { b: __typename }';
    const named = client.subscribe({ query, operationName: 'B' });
    expect(await named.data()).toEqual({ b: 'Query' });
  });

  test('answers the ping of the protocol with its payload, before and after the acknowledgement', async () => {
    const { gateway } = await startHeldGateway();
    const client = await openGraphqlWs(gateway.graphqlUrl, { init: false });
    const pong = () => client.message(({ type }) => type === 'pong');
    client.send({ type: 'ping' });
    expect(await pong()).toEqual({ type: 'pong' });
    client.send({ type: 'connection_init' });
    expect(await client.message(({ type }) => type === 'connection_ack')).toEqual({ type: 'connection_ack' });
    client.send({ type: 'ping', payload: { at: 1 } });
    expect(await pong()).toEqual({ type: 'pong', payload: { at: 1 } });
    // Unasked, and allowed.
    client.send({ type: 'pong' });
    client.send({ type: 'ping', payload: { at: 2 } });
    expect(await pong()).toEqual({ type: 'pong', payload: { at: 2 } });
  });

  test('takes no notice of `complete` for an operation that it does not have', async () => {
    const { client, livesOn } = await openWithWatch();
    client.send({ type: 'complete', id: 'never begun' });
    await livesOn();
  });
});
