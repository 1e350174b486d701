import { styleText } from 'node:util';
import { archiveKind, videosDir } from '../app/open-archive.ts';
import { ownUrl, isLoopback } from '../config/loopback.ts';
import type { Config } from '../config/config.ts';
import { parseUrl } from '../url.ts';

/** What the gateway knows about itself once it listens. */
export interface BannerFacts {
  readonly version: string;
  readonly host: string;
  /** The port really taken, never 0. */
  readonly port: number;
  /** The origin that the provider is given for its callbacks, or null. */
  readonly publicUrl: string | null;
  readonly graphiql: boolean;
  readonly provider: { readonly kind: 'kie.ai' | 'sandbox'; readonly url: string };
  /** Where tasks are kept. */
  readonly store: string;
  /** Where videos are kept. */
  readonly videos: string;
  /** Who may call. */
  readonly access: string;
  readonly color: boolean;
}

type Row = readonly [label: string, value: string, ...notes: string[]];

/** What a terminal shows after the start: where to go, what answers, who may call. Ends with a newline. */
export function banner(facts: BannerFacts): string {
  // The stream is not asked: whoever calls has decided.
  const style = (format: 'bold' | 'dim' | 'cyan', text: string) =>
    facts.color ? styleText(format, text, { validateStream: false }) : text;
  const render = ([label, value, ...notes]: Row) => [
    `  ${style('dim', label.padEnd(11))}${/^(http|ws)s?:/.test(value) ? style('cyan', value) : value}`,
    ...notes.map((note) => `  ${' '.repeat(11)}${style('dim', note)}`),
  ];
  const title = `  ${style('bold', 'Kineograph')} ${facts.version}`;
  return ['', title, '', ...rows(facts).flatMap(render), '', ''].join('\n');
}

function rows(facts: BannerFacts): Row[] {
  const own = ownUrl(facts.host, facts.port);
  const graphql = `${own}/graphql`;
  return [
    ['Dashboard', own],
    [facts.graphiql ? 'GraphiQL' : 'GraphQL', graphql],
    ['WebSocket', graphql.replace(/^http/, 'ws')],
    ['Callbacks', callbacks(facts)],
    provider(facts),
    ['Store', facts.store],
    ['Videos', facts.videos],
    ['Access', facts.access],
  ];
}

function callbacks({ publicUrl }: BannerFacts): string {
  if (publicUrl === null) return 'none (PUBLIC_URL is not set: Kineograph polls kie.ai)';
  return `${publicUrl}/webhooks/kie/{taskId}/{token}`;
}

function provider({ provider: { kind, url } }: BannerFacts): Row {
  if (kind === 'kie.ai') return ['Provider', `kie.ai at ${url}`];
  return [
    'Provider',
    `sandbox at ${url}`,
    'Nothing is charged. For real videos set KIE_API_KEY and restart.',
  ];
}

/** Where videos are kept, in a few words that follow "videos are". */
export function describeVideos(config: Config): string {
  switch (archiveKind(config)) {
    case 'disk':
      return `kept in ${videosDir(config)}`;
    case 's3': {
      const url = parseUrl(config.archiveS3Url ?? '');
      return `kept in S3 at ${url?.host ?? ''}${url?.pathname.replace(/\/+$/, '') ?? ''}`;
    }
    case 'off':
      return config.kieApiKey === null
        ? 'not kept (ARCHIVE is off)'
        : 'not kept: kie.ai deletes them after days';
  }
}

/** Who may call, in a few words and without any secret. */
export function describeAccess({ apiKeys, host, jwtJwksUrl, jwtSecret }: Config): string {
  const ways = [
    ...(apiKeys.length > 0 ? [`API keys of ${countOf(apiKeys.map(({ owner }) => owner))}`] : []),
    ...(jwtJwksUrl !== null ? [`tokens signed by the keys at ${jwtJwksUrl}`] : []),
    ...(jwtSecret.length > 0 ? ['tokens signed with JWT_SECRET'] : []),
  ];
  if (ways.length > 0) return ways.join(', ');
  return isLoopback(host) ? 'open, loopback only' : 'open to everyone (ALLOW_ANONYMOUS)';
}

function countOf(owners: readonly string[]): string {
  const { size } = new Set(owners);
  return size === 1 ? '1 owner' : `${size} owners`;
}
