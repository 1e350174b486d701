import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { archiveKind } from '../../src/app/open-archive.ts';
import { parseConfig } from '../../src/config/config.ts';
import { VARIABLES } from '../../src/config/variables.ts';
import { readDockerfile, readImage } from '../kit/dockerfile.ts';
import { ROOT } from '../kit/process.ts';

interface Service {
  readonly image: string;
  readonly env_file: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stop_grace_period: string;
  readonly read_only: boolean;
  readonly tmpfs: readonly string[];
  readonly volumes?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: {
    readonly default: { readonly ipam: { readonly config: readonly { readonly subnet: string }[] } };
  };
}

/** The shell of whoever starts it. */
const SHELL: Readonly<Record<string, string>> = { POSTGRES_PASSWORD: 'af09' };

/** deploy/.env, as its reader fills it in. */
const ENV_FILE = {
  API_KEYS: 'backend:a-long-random-key',
  KIE_API_KEY: 'your-key',
  PUBLIC_URL: 'https://video.example.com',
};

/** The same with S3, for services that ask for it. */
const S3_FILE = {
  ...ENV_FILE,
  ARCHIVE_S3_URL: 'https://s3.example.com/bucket',
  AWS_ACCESS_KEY_ID: 'a-key-id',
  AWS_SECRET_ACCESS_KEY: 'a-secret',
};

function read(name: string): Compose {
  return parse(readFileSync(`${ROOT}deploy/${name}`, 'utf8'), { merge: true }) as Compose;
}

function gatewaysOf({ services }: Compose): [string, Service][] {
  return Object.entries(services).filter(([, { image }]) => image === 'kineograph');
}

/** What Compose passes to a service: its `environment` wins over its `env_file`. */
function environmentOf({ environment }: Service): Record<string, string> {
  const fill = (value: string): string =>
    value.replaceAll(/\$\{(\w+):\?[^}]*\}/g, (whole, name: string) => SHELL[name] ?? whole);
  const fixed = Object.entries(environment).map(([name, value]) => [name, fill(value)] as const);
  const file = environment['ARCHIVE'] === 's3' ? S3_FILE : ENV_FILE;
  return { ...image.env, ...file, ...Object.fromEntries(fixed) };
}

const known = new Set(Object.keys(VARIABLES));
const image = readImage();

describe.each(['compose.yaml', 'compose.replicas.yaml'])('deploy/%s', (file) => {
  const gateways = gatewaysOf(read(file));

  it('sets no variable that the gateway does not know', () => {
    expect(gateways.length).toBeGreaterThan(0);
    for (const [, { environment }] of gateways)
      expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
  });

  it('passes every setting of deploy/.env on, and is a configuration with which the image starts', () => {
    for (const [, service] of gateways) {
      expect(service.env_file).toBe('.env');
      const settings = { MAX_DEPTH: '7', JWT_JWKS_URL: 'https://login.example.com/jwks.json' };
      const config = parseConfig({ ...settings, ...environmentOf(service) });
      expect(config).toMatchObject({ host: '0.0.0.0', port: 4000, maxDepth: 7 });
    }
  });

  it('gives a shutdown the time that it may take, and lets the gateway write to /tmp and volumes alone', () => {
    for (const [, service] of gateways) {
      const { shutdownMs } = parseConfig({});
      expect(parseInt(service.stop_grace_period) * 1000).toBeGreaterThan(shutdownMs + 10_000);
      expect(service.read_only).toBe(true);
      expect(service.tmpfs).toEqual([expect.stringMatching(/^\/tmp:/)]);
    }
  });
});

test('the embedded store lies on a volume', () => {
  const [[, { volumes }] = ['', { volumes: [] }]] = gatewaysOf(read('compose.yaml'));
  expect(volumes).toEqual([`data:${image.env['DATA_DIR'] ?? ''}`]);
  expect(image.one('VOLUME')).toBe('/data');
});

test('replicas receive videos on a volume of their own, and not in memory', () => {
  for (const [, { volumes }] of gatewaysOf(read('compose.replicas.yaml')))
    expect(volumes).toEqual([image.env['DATA_DIR']]);
});

test.each([
  ['compose.yaml', 'disk'],
  ['compose.replicas.yaml', 's3'],
])('the gateways of deploy/%s keep copies of videos: %s', (file, kind) => {
  for (const [, service] of gatewaysOf(read(file)))
    expect(archiveKind(parseConfig(environmentOf(service)))).toBe(kind);
});

test('the load balancer passes on to every replica, and is believed what it says of who calls', () => {
  const compose = read('compose.replicas.yaml');
  const gateways = gatewaysOf(compose);
  const caddyfile = readFileSync(`${ROOT}deploy/Caddyfile`, 'utf8');
  const passedTo = /\{\$REPLICAS:(.*?)\}/.exec(caddyfile)?.[1];
  expect(passedTo).toBe(gateways.map(([name]) => `${name}:${parseConfig({}).port}`).join(' '));
  const subnets = compose.networks.default.ipam.config.map(({ subnet }) => subnet);
  for (const [, { environment }] of gateways) expect([environment['TRUSTED_PROXIES']]).toEqual(subnets);
});

test('the settings that docs/deployment.md shows for systemd are a configuration', () => {
  const text = readFileSync(`${ROOT}docs/deployment.md`, 'utf8');
  const [, block = ''] = /```ini\n(\w+=.*?)```/s.exec(text) ?? [];
  const lines = block.trim().split('\n');
  const settings = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s, 2))) as Record<string, string>;
  expect(parseConfig(settings).kieApiKey).toBe('your-key');
  expect(Object.keys(settings).filter((name) => !known.has(name))).toEqual([]);
});

describe('the Dockerfile', () => {
  it('copies what is there and not ignored', () => {
    const ignored = readFileSync(`${ROOT}.dockerignore`, 'utf8').split('\n');
    const copies = readDockerfile().flatMap((stage) => stage.copies.filter(({ from }) => from === null));
    const sources = copies.flatMap((copy) => copy.sources);
    expect(sources.length).toBeGreaterThan(4);
    expect(sources.filter((source) => !existsSync(ROOT + source) || ignored.includes(source))).toEqual([]);
  });

  it('runs the program itself, not as root, and has to be told who may call', () => {
    expect(image.command('ENTRYPOINT')).toEqual(['node', 'dist/main.js']);
    expect([image.one('STOPSIGNAL'), image.one('USER')]).toEqual(['SIGTERM', 'node']);
    const bases = new Set(readDockerfile().map(({ base }) => base));
    expect([...bases]).toEqual([expect.stringMatching(/^node:\d+-[a-z]+-slim$/)]);
    expect(() => parseConfig(image.env)).toThrow(/API_KEYS=owner:key.*ALLOW_ANONYMOUS=true/s);
  });
});
