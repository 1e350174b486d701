import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { startApp } from '../../src/app/create-app.ts';
import { parseConfig } from '../../src/config/config.ts';
import { createLog } from '../../src/log/log.ts';
import type { Orders } from './crash.ts';
import { withMoments, type Moment } from './crash-steps.ts';

/**
 * A gateway that kills itself at a given moment, and logs the moments that it lives through. It says `loaded`, waits for
 * its orders as one line of JSON on stdin, and only then touches the store: so that it can be loaded while its
 * predecessor still runs. A second line lets a step begin that it was told to hold.
 */
const config = parseConfig(process.env);
const log = createLog({ level: config.logLevel, pretty: false });
log.info('loaded');

const lines = createInterface({ input: process.stdin });
const [line] = (await once(lines, 'line')) as [string];
const { dieAt, holds, timings } = JSON.parse(line) as Orders;
const held = holds && { step: holds, until: once(lines, 'line') };

function reached(moment: Moment): void {
  if (moment === dieAt) process.kill(process.pid, 'SIGKILL');
  log.info(moment);
}

const app = await startApp(config, {
  log,
  overrides: {
    timings,
    wrap: (ports) => withMoments(ports, { dieAt, held, reached }),
  },
});
log.info({ url: app.url }, 'listening');
