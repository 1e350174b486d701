import { describe, expect, it } from 'vitest';
import { isHost } from '../src/http/gate.ts';
import { createOriginPolicy } from '../src/http/origins.ts';
import { parseCallback } from '../src/providers/kie/answers.ts';
import { parseCreateRequest } from '../src/sandbox/create-request.ts';
import { validateInput } from '../src/tasks/validate-input.ts';
import { parseUrl } from '../src/url.ts';
import { superlinearGrowth } from './kit/growth.ts';

/** Node's parser takes quadratic time for a host of these. */
const MARKS = '\u0300\u0323';

const mayCall = createOriginPolicy({ allowedOrigins: [], host: '127.0.0.1', publicUrl: () => null });

const PARSERS: Readonly<Record<string, (url: string) => unknown>> = {
  'an image URL of a client': (imageUrl) => validateInput({ prompt: 'snow', imageUrl }),
  'a second image URL of a client': (endImageUrl) =>
    validateInput({ prompt: 'snow', imageUrl: 'https://files.example/a.png', endImageUrl }),
  'a video URL in a callback': (url) =>
    parseCallback({
      code: 200,
      data: { taskId: 'kie-1', state: 'success', resultJson: { resultUrls: [url] } },
    }),
  'an image URL in the sandbox': (url) =>
    parseCreateRequest({ model: 'hailuo/02-image-to-video-pro', input: { prompt: 'snow', image_url: url } }),
  'the host of a request': (url) => isHost(url.replace('http://', '')),
  'the origin of a web page': (url) => mayCall(url, 'video.example'),
};

it.each(Object.entries(PARSERS))(
  '%s takes time in proportion to its length, whatever it holds',
  (_what, parse) => {
    expect(superlinearGrowth(parse, (length) => `http://a${MARKS.repeat(length / 2)}`)).toBeNull();
  },
);

it('the measurement above finds that the parser of Node takes longer', () => {
  const work = (url: string): boolean => URL.canParse(url);
  expect(superlinearGrowth(work, (length) => `http://a${MARKS.repeat(length / 2)}`)).not.toBeNull();
});

describe('a URL', () => {
  it.each(['x', '🎞'])('may have 2,048 characters: %s', (character) => {
    const longest = `http://a/${character.repeat(2039)}`;
    expect(parseUrl(longest)).not.toBeNull();
    expect(parseUrl(longest + character)).toBeNull();
  });
});
