import { parser } from '@prometheus-io/lezer-promql';
import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { startFakeProvider } from '../kit/provider.ts';
import { startGateway } from '../kit/gateway.ts';
import { credit } from '../kit/kie.ts';
import { readScrape, type Scraped } from './scrape.ts';

/** What Prometheus itself knows of each target. */
const PROMETHEUS_OWN = ['up'];

const AlertsFile = z.strictObject({
  groups: z.array(
    z.strictObject({
      name: z.string().min(1),
      rules: z.array(
        z.strictObject({
          alert: z.string().regex(/^Kineograph[A-Za-z]+$/),
          expr: z.string(),
          for: z.string().regex(/^\d+[smh]$/),
          labels: z.strictObject({ severity: z.enum(['warning', 'critical']) }),
          annotations: z.strictObject({ summary: z.string().min(1), action: z.string().min(1) }),
        }),
      ),
    }),
  ),
});

const Dashboard = z.object({
  templating: z.object({ list: z.array(z.object({ name: z.string(), type: z.string() })) }),
  panels: z.array(
    z.object({
      id: z.number(),
      title: z.string().min(1),
      datasource: z.object({ uid: z.literal('${datasource}') }).optional(),
      targets: z.array(z.object({ expr: z.string() })).optional(),
    }),
  ),
});

let scraped: Scraped;

beforeAll(async () => {
  const provider = await startFakeProvider();
  provider.always('credit', credit(1));
  const { close, url } = await startGateway({ provider, env: { ARCHIVE: 'disk' } });
  scraped = readScrape(await (await fetch(`${url}/metrics`)).text());
  await close();
});

/** What is wrong with a query: its syntax, and what it asks for that the gateway does not have. */
function mistakesIn(query: string): string[] {
  // Grafana puts a duration in before it asks.
  const text = query.replaceAll('$__rate_interval', '5m');
  const mistakes: string[] = [];
  parser.parse(text).iterate({
    enter: ({ from, name, to, type }) => {
      const word = text.slice(from, to);
      const isKnown = scraped.names.has(word) || PROMETHEUS_OWN.includes(word);
      if (type.isError) mistakes.push(`a syntax error at ${from}: ${text}`);
      else if (name === 'Identifier' && !isKnown) mistakes.push(`no metric ${word}: ${text}`);
    },
  });
  return mistakes;
}

describe('what is ready for Prometheus and Grafana asks for nothing that the gateway does not show:', () => {
  test('ops/alerts.yml', async () => {
    const { groups } = AlertsFile.parse(parse(await readFile('ops/alerts.yml', 'utf8')));
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.flatMap(({ expr }) => mistakesIn(expr))).toEqual([]);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(rules.length).toBeGreaterThan(8);
  });

  test('ops/grafana-dashboard.json', async () => {
    const { panels, templating } = Dashboard.parse(
      JSON.parse(await readFile('ops/grafana-dashboard.json', 'utf8')),
    );
    expect(templating.list).toContainEqual({ name: 'datasource', type: 'datasource' });
    const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(queries.flatMap(mistakesIn)).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const own = scraped.metrics.filter(({ name }) => name.startsWith('kineograph_'));
    expect(own.filter(({ name }) => !queries.join().includes(name))).toEqual([]);
  });

  test.each(['sum(rate(kineograph_callbacks_total[5m])', 'kineograph_cats > 1'])(
    'and it is noticed that %s is wrong',
    (query) => {
      expect(mistakesIn(query)).not.toEqual([]);
    },
  );
});

test('docs/operation.md describes every metric of ours, and no other', async () => {
  const page = await readFile('docs/operation.md', 'utf8');
  const rows = [...page.matchAll(/^\| `(kineograph_\w+)`(.*)\|$/gm)].map(([, name = '', cells = '']) => {
    const [, type = '', labels = '', help = ''] = cells.split('|').map((cell) => cell.trim());
    return { name, type, labels: labels === '' ? [] : labels.replaceAll('`', '').split(', '), help };
  });
  expect(rows).toEqual(scraped.metrics.filter(({ name }) => name.startsWith('kineograph_')));
});
