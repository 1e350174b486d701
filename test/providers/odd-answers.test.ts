import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseCallback } from '../../src/providers/kie/answers.ts';
import type { QueryAnswer } from '../../src/tasks/provider.ts';
import { created, credit, record, succeeded } from '../kit/kie.ts';
import type { Answer } from '../kit/provider.ts';
import { INPUT, startClient } from './kie-client.ts';

const VIDEO = 'https://files.example/1.mp4';
const RESULT = JSON.stringify({ resultUrls: [VIDEO] });

async function answerOf(answer: Answer, id = 'kie-1'): Promise<QueryAnswer> {
  const { kie, provider } = await startClient();
  provider.answer('recordInfo', answer);
  return kie.queryTask(id);
}

/** The body of an answer as bytes. */
function bytesOf({ body }: Answer): Buffer {
  return Buffer.from(JSON.stringify(body));
}

describe('a success in other words than documented is one', () => {
  test.each([
    ['in capitals', { state: 'SUCCESS' }],
    ['with white space', { state: ' success\n' }],
    ['"succeeded"', { state: 'succeeded' }],
    ['"Completed"', { state: 'Completed' }],
    ['by its flag alone', { state: undefined, successFlag: 1 }],
    ['by its flag, beside an unknown state', { state: 'finalised', successFlag: '1' }],
    ['whose result is JSON in JSON', { resultJson: JSON.stringify(RESULT) }],
    ['whose result is an address', { resultJson: JSON.stringify({ resultUrls: VIDEO }) }],
    ['whose addresses are JSON', { resultJson: { resultUrls: JSON.stringify([VIDEO]) } }],
    ['whose result is a response', { resultJson: '', response: { resultUrls: [VIDEO] } }],
    ['whose response is empty', { resultJson: RESULT, response: null }],
    ['with white space around its address', { resultJson: { resultUrls: [` ${VIDEO}\n`] } }],
  ])('%s', async (_what, fields) => {
    const update = { state: 'SUCCESS', videoUrls: [VIDEO], creditsConsumed: 57 };
    expect(await answerOf(succeeded('kie-1', VIDEO, fields))).toMatchObject({ kind: 'update', update });
  });
});

describe('a failure in other words than documented is one', () => {
  test.each([
    ['in capitals', { state: 'FAIL' }],
    ['"failed"', { state: 'failed' }],
    ['by its flag alone', { state: null, successFlag: 3 }],
  ])('%s', async (_what, fields) => {
    const answer = record('kie-1', { ...fields, failCode: '422', failMsg: 'too dark' });
    const failure = { code: 'INVALID_INPUT', providerCode: '422', message: 'too dark' };
    expect(await answerOf(answer)).toMatchObject({ kind: 'update', update: { state: 'FAIL', failure } });
  });

  test.each([
    ['a word that may mean something else', { state: 'error' }],
    ['a flag that says that it is running', { state: 'rendering', successFlag: 0 }],
    ['a success without an address', { state: 'success', creditsConsumed: 57 }],
  ])('and %s is none: it is asked again, and remembered', async (_what, fields) => {
    const answer = await answerOf(record('kie-1', { failMsg: 'hm', ...fields }));
    expect(answer).toMatchObject({ kind: 'running', said: { message: 'hm' } });
  });
});

const PACKINGS: readonly (readonly [string, Readonly<Record<string, string>>, (bytes: Buffer) => Buffer])[] =
  [
    ['gzip', { 'content-encoding': 'gzip' }, gzipSync],
    ['gzip, unsaid', {}, gzipSync],
    ['deflate', { 'content-encoding': 'deflate' }, deflateSync],
    ['deflate without a wrapper', { 'content-encoding': 'deflate' }, deflateRawSync],
    ['Brotli', { 'content-encoding': 'br' }, brotliCompressSync],
    ['a byte order mark', {}, (bytes) => Buffer.concat([Buffer.from('\ufeff'), bytes])],
  ];

describe('an answer is read although something in between made it', () => {
  test.each(PACKINGS)('%s', async (_what, headers, pack) => {
    const { kie, provider } = await startClient();
    const packed = (answer: Answer): Answer => ({ headers, body: pack(bytesOf(answer)) });
    provider.answer('createTask', packed(created('kie-1')));
    provider.answer('recordInfo', packed(succeeded('kie-1')));
    provider.answer('credit', packed(credit(7)));
    expect(await kie.createTask(INPUT, null)).toEqual({ kind: 'accepted', providerTaskId: 'kie-1' });
    expect(await kie.queryTask('kie-1')).toMatchObject({ kind: 'update' });
    expect(await kie.credits()).toBe(7);
    for (const { headers: sent } of provider.requests()) expect(sent['accept-encoding']).toBe('identity');
  });

  test('unless it unpacks to more than 1 MiB', async () => {
    const { kie, provider } = await startClient();
    const body = gzipSync(
      JSON.stringify({ code: 200, data: { taskId: 'kie-1' }, more: 'x'.repeat(2 ** 21) }),
    );
    provider.answer('createTask', { headers: { 'content-encoding': 'gzip' }, body });
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
  });
});

describe('a task id', () => {
  const LONG = '123456789012345678';

  test('that is a number of 18 digits is taken digit by digit, wherever it stands', async () => {
    const { kie, provider } = await startClient();
    provider.answer('createTask', { body: `{"code":200,"data":{"taskId" : ${LONG}}}` });
    expect(await kie.createTask(INPUT, null)).toEqual({ kind: 'accepted', providerTaskId: LONG });
    const body = bytesOf(succeeded('ID')).toString().replace('"ID"', LONG);
    expect(await answerOf({ body }, LONG)).toMatchObject({
      kind: 'update',
      update: { providerTaskId: LONG },
    });
  });

  test.each([
    ['too long', 'x'.repeat(256)],
    ['with a control character', 'a\0b'],
    ['with half a surrogate pair', 'a\ud800'],
    ['no whole number', 1.5],
  ])('that no store or address takes is none: %s', async (_what, taskId) => {
    const { kie, provider } = await startClient();
    provider.answer('createTask', { body: { code: 200, data: { taskId } } });
    expect(await kie.createTask(INPUT, null)).toMatchObject({ kind: 'unknown' });
    expect(parseCallback({ code: 200, data: { taskId } })?.ids).toEqual([]);
  });
});

describe('what the provider says is fit to be stored and handed out:', () => {
  test.each([
    ['with credentials', 'http://user:pw@files.example/1.mp4'],
    ['too long', `https://files.example/${'x'.repeat(2048)}`],
    ['of another scheme', 'ftp://files.example/1.mp4'],
  ])('an address %s is none', async (_what, url) => {
    const answer = await answerOf(succeeded('kie-1', url));
    expect(answer).toMatchObject({ kind: 'running' });
  });

  test('addresses are serialised', async () => {
    const answer = await answerOf(succeeded('kie-1', 'HTTPS://Files.Example:443/a b/ü.mp4'));
    const videoUrls = ['https://files.example/a%20b/%C3%BC.mp4'];
    expect(answer).toMatchObject({ update: { videoUrls } });
  });

  test('texts have 2,000 characters at most, none of which breaks a store', async () => {
    const failMsg = `\0\ud800${'é'.repeat(1997)}😀${'x'.repeat(100_000)}`;
    const failCode = 'c'.repeat(5000);
    const answer = await answerOf(record('kie-1', { state: 'fail', failCode, failMsg }));
    const message = `\ufffd\ufffd${'é'.repeat(1997)}`;
    const failure = { code: 'UNKNOWN', providerCode: 'c'.repeat(100), message };
    expect(answer).toMatchObject({ update: { failure } });
  });
});
