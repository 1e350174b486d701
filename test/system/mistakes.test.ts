import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { temporaryDir } from '../kit/gateway.ts';
import { runBuilt, startBuilt, startBuiltSandbox } from '../kit/process.ts';

describe('the built command', () => {
  it('explains itself', async () => {
    const { code, stdout, stderr } = await runBuilt(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: /);
  });

  it('tells its version', async () => {
    expect(await runBuilt(['--version'])).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });

  it('exits 64 upon an unknown command and says what was probably meant', async () => {
    const { code, stdout, stderr } = await runBuilt(['sandbx']);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain("unknown command 'sandbx'\n(Did you mean sandbox?)");
    expect(stderr).toContain('Usage: ');
  });

  it('exits 64 upon a missing argument and explains that command', async () => {
    const { code, stderr } = await runBuilt(['backup']);
    expect(code).toBe(64);
    expect(stderr).toContain('Usage: kineograph backup [options] <file>\n');
  });

  it('exits 78 upon a wrong environment, with every mistake in one report and no secret', async () => {
    const { code, stdout, stderr } = await runBuilt([], {
      PORT: 'many',
      HOST: '0.0.0.0',
      PUBLIC_URL: 'https://video.example.com/path',
      KIE_API_KEY: 'secret key with spaces',
      KIE_WEBHOOK_HMAC_KEY: 'secret-of-ours',
      DATA_DIR: await temporaryDir(),
    });
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/^kineograph: There are 5 mistakes in the environment:\n/);
    const names = [
      'PORT=',
      'HOST=',
      'PUBLIC_URL=',
      'KIE_API_KEY: expected',
      'KIE_WEBHOOK_HMAC_KEY is not a variable',
    ];
    for (const name of names) expect(stderr).toContain(`\n  - ${name}`);
    expect(stderr).not.toContain('secret');
  });
});

describe('what cannot be had', () => {
  it('is a port in use: exit 1 and a way out', async () => {
    const first = await startBuilt({ DATA_DIR: await temporaryDir() });
    const { port } = new URL(first.url);
    const { code, stderr } = await runBuilt([], { PORT: port, DATA_DIR: await temporaryDir() });
    expect(code).toBe(1);
    expect(stderr).toBe(
      `kineograph: port ${port} on 127.0.0.1 is in use. Stop what listens there, or choose another: PORT=${Number(port) + 1}, or PORT=0 for any.\n`,
    );
  });

  it.each([
    ['192.0.2.1', /^kineograph: HOST=192\.0\.2\.1 is no address of this machine\. Set HOST to /],
    [
      'nowhere.invalid',
      /^kineograph: HOST=nowhere\.invalid (is no address of this machine|cannot be looked up)/,
    ],
  ])('is an address of another machine, %s: exit 1 and a way out', async (HOST, expected) => {
    const env = { HOST, PORT: '0', ALLOW_ANONYMOUS: 'true', DATA_DIR: await temporaryDir() };
    const { code, stderr } = await runBuilt([], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(expected);
  });

  it('is a Node.js that is too old: that is said before anything else', async () => {
    const DATA_DIR = await temporaryDir();
    const pretend = join(DATA_DIR, 'pretend.cjs');
    const versions = "{ ...process.versions, node: '20.18.3' }";
    await writeFile(pretend, `Object.defineProperty(process, 'versions', { value: ${versions} });`);
    const { code, stderr, stdout } = await runBuilt(['--help'], { NODE_OPTIONS: `--require ${pretend}` });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^kineograph: needs Node\.js 20\.19 or newer, and this is 20\.18\.3\./);
    expect(manifest.engines.node).toBe('>=20.19');
  });

  it('is a port in use, for the sandbox: exit 1 and a way out', async () => {
    const { port } = new URL((await startBuiltSandbox()).url);
    const { code, stderr } = await runBuilt(['sandbox', '--port', port]);
    expect(code).toBe(1);
    expect(stderr).toContain(`port ${port} on 127.0.0.1 is in use. `);
    expect(stderr).toContain('--port 0');
  });

  it('is a data directory that cannot be made or written to: exit 1 and what to do', async () => {
    const dir = await temporaryDir();
    const [file, link] = [join(dir, 'file'), join(dir, 'link')];
    await writeFile(file, '');
    await symlink(join(dir, 'nowhere'), link);
    // None of these lets even root in. Node's own recursive mkdir never returns from the first.
    for (const DATA_DIR of ['/proc/data', '/proc', '/dev/null', file, join(file, 'data'), link]) {
      const { code, stderr } = await runBuilt([], { PORT: '0', DATA_DIR });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^kineograph: DATA_DIR .* cannot be written to \(E[A-Z]+: .*choose another\.\n$/,
      );
      expect(stderr).toContain(`DATA_DIR ${DATA_DIR} cannot`);
    }
  });

  it('is a data directory that another process has: exit 1, and the other goes on', async () => {
    const DATA_DIR = await temporaryDir();
    const first = await startBuilt({ DATA_DIR });
    const { code, stderr } = await runBuilt([], { PORT: '0', DATA_DIR });
    expect(code).toBe(1);
    expect(stderr).toContain(`DATA_DIR ${DATA_DIR} is in use by another Kineograph process. Stop that one`);
    expect((await fetch(`${first.url}/ready`)).status).toBe(200);
  });
});
