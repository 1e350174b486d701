import { describe, expect, it } from 'vitest';
import { problem, PROBLEM_MEDIA_TYPE } from '../src/http/problem.ts';

describe('a problem', () => {
  it("is titled with the status's own phrase", () => {
    expect(problem(413, 'The body is larger than 256 KiB.')).toEqual({
      type: 'about:blank',
      title: 'Payload Too Large',
      status: 413,
      detail: 'The body is larger than 256 KiB.',
    });
  });

  it('carries a hint and other extension members', () => {
    const body = problem(429, 'Too many requests.', { hint: 'Try again in 10 s.', retryAfter: 10 });
    expect(body).toMatchObject({ hint: 'Try again in 10 s.', retryAfter: 10 });
  });

  it('leaves absent members out of the JSON', () => {
    expect(Object.keys(problem(404))).toEqual(['type', 'title', 'status']);
  });

  it('keeps its standard members whatever the extras say', () => {
    expect(problem(400, 'Bad.', { status: 200, title: 'OK', type: 'x' })).toEqual(problem(400, 'Bad.'));
  });

  it('has a title even for a status without a phrase', () => {
    expect(problem(499).title).toBe('HTTP 499');
  });

  it('travels as application/problem+json', () => {
    expect(PROBLEM_MEDIA_TYPE).toBe('application/problem+json');
  });
});
