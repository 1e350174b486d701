import { serverAudits } from 'graphql-http';
import { expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';

// What the specification leaves to the server ("MAY") is not asked for.
const audits = serverAudits({ url: '' }).filter(({ name }) => !name.startsWith('MAY'));

it('the audits of GraphQL over HTTP ask for many things', () => {
  expect(audits.length).toBeGreaterThan(30);
});

it.each(audits.map(({ id, name }) => [name, id]))('GraphQL over HTTP: %s (%s)', async (_, id) => {
  const { graphqlUrl } = await startGateway({ provider: await startFakeProvider() });
  const audit = serverAudits({ url: graphqlUrl }).find((candidate) => candidate.id === id);
  const result = await audit?.fn();
  expect(result).toMatchObject({ status: 'ok' });
});
