import { describe, expect, it } from 'vitest';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { created } from '../kit/kie.ts';
import { create, createTask, findTask, listTasks } from './client.ts';

const FACE = '👩'; // One code point, two UTF-16 units.
const HOST = 'https://files.example/';

function urlOf(length: number, character = 'x'): string {
  return HOST + character.repeat(length - HOST.length);
}

/** What the gateway says of an input, as `field: CODE`; nothing when it takes it. */
async function problemsOf(fields: Readonly<Record<string, unknown>>): Promise<string[]> {
  const provider = await startFakeProvider();
  const gateway = await startGateway({ provider });
  provider.always('createTask', created('kie-1'));
  const result = await create(gateway, fields);
  if (result.__typename === 'CreateImageToVideoSuccess') return [];
  if (result.__typename !== 'ValidationError') throw new Error(JSON.stringify(result));
  // Nothing was stored, so nothing will ever be sent.
  expect(await listTasks(gateway)).toMatchObject({ edges: [], revision: 0 });
  expect(provider.requests()).toEqual([]);
  for (const { path, message } of result.issues) expect(message).toContain(path[1]);
  return result.issues.map(({ path, code }) => `${path.join('.')}: ${code}`);
}

describe('the prompt', () => {
  it.each([
    ['empty', '', 'REQUIRED'],
    ['nothing but white space', ' \t\r\n\u00a0\u2003\ufeff', 'REQUIRED'],
    ['1501 characters long', 'x'.repeat(1501), 'TOO_LONG'],
    ['1501 astral characters long', FACE.repeat(1501), 'TOO_LONG'],
    ['1501 characters long with its white space', ` ${'x'.repeat(1500)}`, 'TOO_LONG'],
    ['with a NUL', 'snow\0falling', 'INVALID_CHARACTERS'],
    ['nothing but a NUL', '\0', 'INVALID_CHARACTERS'],
    ['with the first half of a surrogate pair', 'snow \ud83d falling', 'INVALID_CHARACTERS'],
    ['with the second half of a surrogate pair', 'snow falling \udc69', 'INVALID_CHARACTERS'],
    ['with a surrogate pair the wrong way round', '\udc69\ud83d', 'INVALID_CHARACTERS'],
  ])('must not be %s', async (_, prompt, code) => {
    expect(await problemsOf({ prompt })).toEqual([`input.prompt: ${code}`]);
  });

  it.each([
    ['1 character long', 'x'],
    ['1500 characters long', 'x'.repeat(1500)],
    ['1500 astral characters long', FACE.repeat(1500)],
    ['any other control character', '\u0001\u001b\u007f\u0085'],
  ])('may be %s', async (_, prompt) => {
    expect(await problemsOf({ prompt })).toEqual([]);
  });
});

describe.each(['imageUrl', 'endImageUrl'] as const)('%s', (field) => {
  it.each([
    ['2049 characters long', urlOf(2049), 'TOO_LONG'],
    ['2049 astral characters long', urlOf(2049, FACE), 'TOO_LONG'],
    ['a host alone', 'files.example/first.png', 'NOT_A_URL'],
    ['a path', '/first.png', 'NOT_A_URL'],
    ['relative to a scheme', '//files.example/first.png', 'NOT_A_URL'],
    ['prose', 'an image of snow', 'NOT_A_URL'],
    ['without a host', 'https://', 'NOT_A_URL'],
    ['a scheme and a host without slashes', 'https:files.example', 'NOT_A_URL'],
    ['written with backslashes', 'https:\\\\files.example\\first.png', 'NOT_A_URL'],
    ['with a space', 'https://files.example/first picture.png', 'NOT_A_URL'],
    ['with a line break', 'https://files.example/first\n.png', 'NOT_A_URL'],
    ['with an impossible port', 'https://files.example:99999/first.png', 'NOT_A_URL'],
    ['FTP', 'ftp://files.example/first.png', 'URL_SCHEME'],
    ['a file', 'file:///etc/passwd', 'URL_SCHEME'],
    ['its own data', 'data:image/png;base64,iVBORw0KGgo=', 'URL_SCHEME'],
    ['script', 'javascript:alert(1)', 'URL_SCHEME'],
    ['with user and password', 'https://me:secret@files.example/first.png', 'URL_CREDENTIALS'],
    ['with a user', 'https://me@files.example/first.png', 'URL_CREDENTIALS'],
    ['with a password', 'https://:secret@files.example/first.png', 'URL_CREDENTIALS'],
    ['with a NUL', 'https://files.example/\0.png', 'INVALID_CHARACTERS'],
    ['with half of a surrogate pair', 'https://files.example/\ud83d.png', 'INVALID_CHARACTERS'],
  ])('must not be %s', async (_, url, code) => {
    expect(await problemsOf({ [field]: url })).toEqual([`input.${field}: ${code}`]);
  });

  it.each([
    ['2048 characters long', urlOf(2048)],
    ['2048 characters long beside its white space', ` ${urlOf(2048)}\n`],
    ['2048 characters long, most of them astral', urlOf(2048, FACE)],
    ['plain http', 'http://files.example/first.png'],
    ['of upper case', 'HTTPS://FILES.EXAMPLE/FIRST.PNG'],
    ['of a private host with a port', 'http://192.168.0.7:8080/first.png'],
    ['an IPv6 address', 'http://[::1]/first.png'],
    ['with an at sign in its path', 'https://files.example/@me/first.png'],
    ['of another script', 'https://例え.example/雪.png?größe=1'],
  ])('may be %s', async (_, url) => {
    expect(await problemsOf({ [field]: url })).toEqual([]);
  });
});

describe('imageUrl', () => {
  it.each(['', ' \n\t'])('must be there: %j is refused', async (imageUrl) => {
    expect(await problemsOf({ imageUrl })).toEqual(['input.imageUrl: REQUIRED']);
  });
});

describe('the idempotency key', () => {
  it.each([
    ['empty', '', 'REQUIRED'],
    ['256 characters long', 'k'.repeat(256), 'TOO_LONG'],
    ['256 astral characters long', FACE.repeat(256), 'TOO_LONG'],
    ['with a NUL', 'k\0', 'INVALID_CHARACTERS'],
    ['with half of a surrogate pair', 'k\ud83d', 'INVALID_CHARACTERS'],
  ])('must not be %s', async (_, idempotencyKey, code) => {
    expect(await problemsOf({ idempotencyKey })).toEqual([`input.idempotencyKey: ${code}`]);
  });

  it.each([
    ['1 character long', 'k'],
    ['255 characters long', 'k'.repeat(255)],
    ['255 astral characters long', FACE.repeat(255)],
    ['null, which is none', null],
  ])('may be %s', async (_, idempotencyKey) => {
    expect(await problemsOf({ idempotencyKey })).toEqual([]);
  });
});

describe('several problems', () => {
  it('are told in one answer, whatever their fields', async () => {
    const fields = {
      prompt: ' ',
      imageUrl: 'first.png',
      endImageUrl: 'ftp://files.example/last.png',
      idempotencyKey: 'k'.repeat(256),
    };
    expect(await problemsOf(fields)).toEqual([
      'input.prompt: REQUIRED',
      'input.imageUrl: NOT_A_URL',
      'input.endImageUrl: URL_SCHEME',
      'input.idempotencyKey: TOO_LONG',
    ]);
  });

  it('of one field are all told', async () => {
    const fields = {
      prompt: '\0'.repeat(1501),
      imageUrl: 'ftp://me:secret@files.example/first.png',
      endImageUrl: 'ftp://me@files.example/last.png',
    };
    expect(await problemsOf(fields)).toEqual([
      'input.prompt: TOO_LONG',
      'input.prompt: INVALID_CHARACTERS',
      'input.imageUrl: URL_SCHEME',
      'input.imageUrl: URL_CREDENTIALS',
      'input.endImageUrl: URL_SCHEME',
      'input.endImageUrl: URL_CREDENTIALS',
    ]);
  });

  it('are summed up in one message', async () => {
    const gateway = await startGateway({ provider: await startFakeProvider() });
    const result = await create(gateway, { prompt: '', imageUrl: '' });
    if (result.__typename !== 'ValidationError') throw new Error(JSON.stringify(result));
    for (const issue of result.issues) expect(result.message).toContain(issue.message);
  });
});

it('an input that is refused leaves its idempotency key free', async () => {
  const provider = await startFakeProvider();
  const gateway = await startGateway({ provider });
  provider.answer('createTask', created('kie-1'));
  expect(await create(gateway, { idempotencyKey: 'one', prompt: '' })).toMatchObject({
    __typename: 'ValidationError',
  });
  const task = await createTask(gateway, { idempotencyKey: 'one' });
  expect(await findTask(gateway, task.id)).toEqual(task);
  expect(provider.requests('createTask')).toHaveLength(1);
});
