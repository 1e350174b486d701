import { setTimeout as delay } from 'node:timers/promises';
import { openCallers } from '../client/callers.ts';
import { CREATE, INPUT } from '../client/documents.ts';
import { openHttp, postRequest, type Answer } from '../client/http-connection.ts';
import { openPool } from '../client/http-pool.ts';
import { sendPaced } from '../client/paced.ts';
import type { Subject, TaskRef } from '../subjects/subject.ts';
import { VIDEO_BYTES } from '../subjects/video-server.ts';
import { peakKiB, residentKiB } from '../support/processes.ts';
import { percentile } from '../support/statistics.ts';
import { timed } from '../support/timed.ts';
import type { Figures, Scenario } from './scenario.ts';

/** So many creates and callbacks a second each. */
const PER_SECOND = 25;
const BLOCKS = 5;
const QUIET_MS = 6000;
const LOOK_MS = 250;

export const archive: Scenario = {
  name: 'archive',
  title: 'Creates and callbacks while videos are copied',
  figure: 'creates p50 ×',
  better: 'less',
  notes: `${PER_SECOND} creates and ${PER_SECOND} callbacks a second, ${BLOCKS} times by turns while nothing is copied and while a part of the videos is, of ${VIDEO_BYTES / 1e6} MB each, from a server in a process of its own onto the disk. "×" compares the two.`,
  cases: ({ isQuick }) => {
    const videos = isQuick ? 100 : 1000;
    return [
      {
        label: `${videos.toLocaleString('en')} videos`,
        subjects: ['K'],
        needs: { tasks: isQuick ? 4000 : 11_000, revisions: 4, copies: true },
        measure: (subject) => measure(subject, videos),
      },
    ];
  },
};

/** How long answers took, in ms. */
interface Times {
  readonly creates: number[];
  readonly callbacks: number[];
}

async function measure(subject: Subject, videos: number): Promise<Figures> {
  const [port = 0] = subject.ports;
  const [pid = 0] = subject.pids;
  const pool = await openPool(port);
  const callers = await openCallers(subject, 20);
  const metrics = await openHttp(port);
  const done = subject.tasks.slice(0, videos);
  const moved = subject.tasks.slice(videos)[Symbol.iterator]();
  const create = postRequest('/graphql', { query: CREATE, variables: { input: INPUT } }, subject.headers);

  async function send(request: Buffer, before: () => void): Promise<void> {
    assertTaken(await pool.send(request, before));
  }

  async function during(end: Promise<unknown>, times: Times): Promise<void> {
    const everyMs = 1000 / PER_SECOND;
    const [made, called] = await Promise.all([
      sendPaced(send, { everyMs, end, next: () => create }),
      sendPaced(send, { everyMs, end, next: () => subject.callback(nextOf(moved), 'queuing') }),
    ]);
    times.creates.push(...made);
    times.callbacks.push(...called);
  }

  /** Looks all the time, so that it costs the same in either case. */
  async function until(isOver: (stored: number) => boolean): Promise<void> {
    while (!isOver(storedIn(await metrics.send(SCRAPE)))) await delay(LOOK_MS);
  }
  const pause = (): Promise<void> => {
    const start = performance.now();
    return until(() => performance.now() - start > QUIET_MS);
  };

  await during(pause(), { creates: [], callbacks: [] });
  const before = residentKiB(pid);
  const [quiet, copying] = [1, 2].map((): Times => ({ creates: [], callbacks: [] })) as [Times, Times];
  let copyingMs = 0;
  const { cores } = await timed(
    subject,
    900_000,
    () => 'all copies',
    async () => {
      for (let block = 1; block <= BLOCKS; block += 1) {
        await during(pause(), quiet);
        const [from, to] = [((block - 1) * videos) / BLOCKS, (block * videos) / BLOCKS];
        await callers.send(
          done
            .slice(from, to)
            .map((task) => ({ task, request: subject.callback(task, 'success', urlOf(task)) })),
        );
        // The copier looks for work every 5 s.
        await until((stored) => stored > from);
        const start = performance.now();
        await during(
          until((stored) => stored >= to),
          copying,
        );
        copyingMs += performance.now() - start;
      }
    },
  );
  for (const part of [pool, callers, metrics]) part.end();
  return {
    ...compared('creates', quiet.creates, copying.creates),
    ...compared('callbacks', quiet.callbacks, copying.callbacks),
    'videos/s': videos / (copyingMs / 1000),
    'MB before': (before * 1.024) / 1000,
    'MB at the peak': (peakKiB(pid) * 1.024) / 1000,
    ...cores,
  };
}

function compared(what: string, quiet: readonly number[], copying: readonly number[]): Figures {
  const figures = [50, 99].map((share): Figures => {
    const [alone, together] = [quiet, copying].map((times) =>
      percentile(Float64Array.from(times).sort(), share / 100),
    ) as [number, number];
    const name = `${what} p${share}`;
    return { [`${name} ×`]: together / alone, [`${name} ms`]: together, [`${name} ms alone`]: alone };
  });
  return Object.assign({}, ...figures) as Figures;
}

const SCRAPE = Buffer.from('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');

function storedIn({ body }: Answer): number {
  return Number(/^kineograph_video_copies_total\{outcome="stored"\} (\d+)/m.exec(body)?.[1]);
}

function urlOf({ number }: TaskRef): string {
  return `http://files.example/${number}.mp4`;
}

function nextOf(tasks: Iterator<TaskRef>): TaskRef {
  const next = tasks.next();
  if (next.done === true) throw new Error('there are too few tasks to call back');
  return next.value;
}

function assertTaken({ body, status }: Answer): void {
  if (status !== 200) throw new Error(`a request was answered with ${status}: ${body.slice(0, 300)}`);
}
