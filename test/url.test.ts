import { expect, it } from 'vitest';
import { isHost } from '../src/http/gate.ts';
import { createOriginPolicy } from '../src/http/origins.ts';
import { parseCallback } from '../src/providers/kie/answers.ts';
import { parseCreateRequest } from '../src/sandbox/create-request.ts';
import { validateInput } from '../src/tasks/validate-input.ts';
import { parseUrl } from '../src/url.ts';
import { superlinearGrowth } from './kit/growth.ts';

const mayCall = createOriginPolicy({ allowedOrigins: [], host: '127.0.0.1', publicUrl: () => null });
const imageUrl = 'https://files.example/a.png';
const task = (url: string) => ({ taskId: 'kie-1', state: 'success', resultJson: { resultUrls: [url] } });

/** Node's parser takes quadratic time for a host of these. */
const hostOf = (length: number) => `http://a${'\u0300\u0323'.repeat(length / 2)}`;

it.each<readonly [what: string, parse: (url: string) => unknown]>([
  ['an image URL of a client', (url) => validateInput({ prompt: 'snow', imageUrl: url })],
  ['a second one', (endImageUrl) => validateInput({ prompt: 'snow', imageUrl, endImageUrl })],
  ['a video URL in a callback', (url) => parseCallback(JSON.stringify({ code: 200, data: task(url) }))],
  [
    'an image URL in the sandbox',
    (url) =>
      parseCreateRequest({
        model: 'hailuo/02-image-to-video-pro',
        input: { prompt: 'snow', image_url: url },
      }),
  ],
  ['the host of a request', (url) => isHost(url.replace('http://', ''))],
  ['the origin of a web page', (url) => mayCall(url, 'video.example')],
])('%s takes time in proportion to its length, whatever it holds', (_what, parse) => {
  expect(superlinearGrowth(parse, hostOf)).toBeNull();
});

it('the measurement above finds that the parser of Node takes longer', () => {
  expect(superlinearGrowth((url) => URL.canParse(url), hostOf)).not.toBeNull();
});

it.each(['x', '🎞'])('a URL may have 2,048 characters: %s', (character) => {
  const longest = `http://a/${character.repeat(2039)}`;
  expect([parseUrl(longest)?.hostname, parseUrl(longest + character)]).toEqual(['a', null]);
});
