import { expect, test } from 'vitest';
import { createLog } from '../../src/log/log.ts';
import { startEnding } from '../api/ending.ts';
import { readScrape } from './scrape.ts';

const DAY = 24 * 3_600_000;

/** A gateway, and what its log says of prices. */
async function start() {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Readonly<Record<string, unknown>>);
  const log = createLog({ level: 'warn', pretty: false }, { write });
  const ending = await startEnding({ log });
  const drift = async (model: string) => {
    const scraped = readScrape(await (await fetch(`${ending.gateway.url}/metrics`)).text());
    return scraped.value(`kineograph_price_drift{model="${model}"}`);
  };
  return { ...ending, drift, warnings: () => lines.filter(({ msg }) => String(msg).includes('price')) };
}

const PRO = 'hailuo/02-image-to-video-pro';
const KLING = 'kling-2.6/image-to-video';

test('a charge that differs from the list gives one line of the log and the metric, once per day and model', async () => {
  const { begin, drift, gateway, warnings } = await start();
  const task = await begin();
  await task.succeed(60.5);
  await (await begin()).succeed(61);
  await (await begin({ model: 'KLING_2_6', sound: true })).succeed(100);
  expect(warnings()).toMatchObject([
    { task: task.id, model: PRO, creditsConsumed: 60.5, listed: 57 },
    { model: KLING, creditsConsumed: 100, listed: 110 },
  ]);
  expect([await drift(PRO), await drift(KLING)]).toEqual([4, -10]);
  gateway.clock.advance(DAY);
  await (await begin()).succeed(59);
  expect(warnings()).toHaveLength(3);
  expect(await drift(PRO)).toBe(2);
  await (await begin()).succeed(57);
  expect(await drift(PRO)).toBe(0);
});

test('neither an equal charge, an unknown one, a failure nor a video without a listed price gives one', async () => {
  const { begin, drift, warnings } = await start();
  await (await begin()).succeed(57);
  await (await begin({ model: 'SEEDANCE_2_MINI', durationSeconds: 12 })).succeed(98.4);
  await (await begin()).succeed(null);
  await (await begin()).fail('501');
  await (await begin({ model: 'HAILUO_02_STANDARD', durationSeconds: 6 })).succeed(99);
  expect(warnings()).toEqual([]);
  expect(await drift(PRO)).toBe(0);
});
