import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/config.ts';
import { readDockerfile, readImage } from '../kit/dockerfile.ts';
import { ROOT } from '../kit/process.ts';

const image = readImage();

describe('the Dockerfile', () => {
  it('copies what is there and not ignored', () => {
    const ignored = readFileSync(`${ROOT}.dockerignore`, 'utf8').split('\n');
    const sources = readDockerfile().flatMap(({ copies }) =>
      copies.flatMap((copy) => (copy.from === null ? copy.sources : [])),
    );
    expect(sources.length).toBeGreaterThan(4);
    expect(sources.filter((source) => !existsSync(ROOT + source) || ignored.includes(source))).toEqual([]);
  });

  it('runs the program itself, not as root, on the Node.js that it was built for', () => {
    expect(image.command('ENTRYPOINT')).toEqual(['node', 'dist/main.js']);
    expect(image.one('STOPSIGNAL')).toBe('SIGTERM');
    expect(image.one('USER')).toBe('node');
    const bases = new Set(readDockerfile().map(({ base }) => base));
    expect([...bases]).toEqual([expect.stringMatching(/^node:\d+-[a-z]+-slim$/)]);
  });

  it('listens on all addresses, and so has to be told who may call', () => {
    expect(() => parseConfig(image.env)).toThrow(/API_KEYS=owner:key.*ALLOW_ANONYMOUS=true/s);
  });
});
