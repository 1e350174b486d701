import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config.ts';
import { listVariables } from '../../src/config/variables.ts';
import { readImage } from '../support/dockerfile.ts';
import { ROOT } from '../support/process.ts';

interface Service {
  readonly image: string;
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

/** What whoever starts it has to say, and might. */
const SAID: Readonly<Record<string, string>> = {
  API_KEYS: 'backend:a-long-random-key',
  KIE_API_KEY: 'your-key',
  POSTGRES_PASSWORD: 'af09',
  PUBLIC_URL: 'https://video.example.com',
};

function read(name: string): Compose {
  return parse(readFileSync(`${ROOT}deploy/${name}`, 'utf8'), { merge: true }) as Compose;
}

function gatewaysOf({ services }: Compose): [string, Service][] {
  return Object.entries(services).filter(([, { image }]) => image === 'kineograph');
}

/** The values of a service as they are when nothing more is said than has to be. */
function filledIn({ environment }: Service): Record<string, string> {
  const fill = (value: string): string =>
    value.replaceAll(/\$\{(\w+):(?:\?[^}]*|-)\}/g, (whole, name: string) =>
      whole.includes(':?') ? (SAID[name] ?? whole) : '',
    );
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, fill(value)]));
}

const known = new Set(listVariables().map(({ name }) => name));
const image = readImage();

describe.each(['compose.yaml', 'compose.replicas.yaml'])('deploy/%s', (file) => {
  const gateways = gatewaysOf(read(file));

  it('sets no variable that the gateway does not know', () => {
    expect(gateways.length).toBeGreaterThan(0);
    for (const [, { environment }] of gateways)
      expect(Object.keys(environment).filter((name) => !known.has(name))).toEqual([]);
  });

  it('is a configuration with which the image starts, once what is asked for is said, and not before', () => {
    for (const [, service] of gateways) {
      expect(parseConfig({ ...image.env, ...filledIn(service) }).host).toBe('0.0.0.0');
      expect(service.environment['API_KEYS']).toContain(':?');
    }
  });

  it('gives a stop the time that it may take, and nothing to write on but /tmp and volumes', () => {
    for (const [, service] of gateways) {
      const { shutdownMs } = parseConfig({});
      expect(parseInt(service.stop_grace_period) * 1000).toBeGreaterThan(shutdownMs + 10_000);
      expect([service.read_only, service.tmpfs]).toEqual([true, ['/tmp']]);
    }
  });
});

test('the embedded store lies on a volume', () => {
  const [[, { volumes }] = ['', { volumes: [] }]] = gatewaysOf(read('compose.yaml'));
  expect(volumes).toEqual([`data:${image.env['DATA_DIR'] ?? ''}`]);
  expect(image.one('VOLUME')).toBe('/data');
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
  const settings = Object.fromEntries(
    lines.map((line): [string, string] => {
      const [name = '', value = ''] = line.split(/=(.*)/s);
      return [name, value];
    }),
  );
  expect(parseConfig(settings).kieApiKey).toBe('your-key');
  expect(Object.keys(settings).filter((name) => !known.has(name))).toEqual([]);
});
