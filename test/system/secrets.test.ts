import { expect, test } from 'vitest';
import { startFakeProvider } from '../support/fake-provider.ts';
import { temporaryDir } from '../support/gateway.ts';
import { createBody, created, record } from '../support/kie.ts';
import { callbackSuccess, deliverCallback, sign } from '../support/kie-callback.ts';
import { param } from '../support/kie-fields.ts';
import { startBuilt } from '../support/process.ts';
import { createTask } from './client.ts';

test('no key and no callback token is ever written out, whatever the log level', async () => {
  const provider = await startFakeProvider();
  provider.answer('createTask', created('kie-1'));
  const secrets = {
    KIE_API_KEY: 'the-api-key-of-the-test',
    KIE_WEBHOOK_HMAC_KEYS: 'the-hmac-key-of-the-test',
  };
  const gateway = await startBuilt({
    ...secrets,
    KIE_API_URL: provider.url,
    PUBLIC_URL: 'https://gateway.example.test',
    DATA_DIR: await temporaryDir(),
    LOG_LEVEL: 'trace',
  });
  const task = await createTask(gateway.graphqlUrl);
  const create = await provider.received('createTask');
  const { pathname } = new URL(createBody(create).callBackUrl ?? '');
  const token = pathname.split('/').at(-1) ?? '';
  expect([create.headers.authorization, token.length]).toEqual([`Bearer ${secrets.KIE_API_KEY}`, 43]);

  provider.always('recordInfo', record('kie-1', { param: param(gateway.url + pathname) }));

  // One that is taken, one that is refused, one that is lost on the way: each leaves its lines.
  const body = callbackSuccess('kie-1', { param: param(gateway.url + pathname) });
  const refused = await deliverCallback(gateway.url + pathname, body);
  const taken = await deliverCallback(
    gateway.url + pathname,
    body,
    sign(secrets.KIE_WEBHOOK_HMAC_KEYS, 'kie-1'),
  );
  const lost = await deliverCallback(`${gateway.url + pathname}/more`, body);
  expect([refused.status, taken.status, lost.status]).toEqual([401, 200, 404]);
  gateway.signal('SIGTERM');
  await gateway.exited;

  const output = gateway.stdout() + gateway.stderr();
  expect(output).toContain(task.id);
  for (const secret of [...Object.values(secrets), token]) expect(output).not.toContain(secret);
});
