import { isEnumType } from 'graphql';
import { EXIT } from '../../src/cli/exit.ts';
import { schema } from '../../src/schema/schema.ts';
import { REFUSALS } from '../../src/webhooks/refusals.ts';
import { ENUM_ADVICE } from './enum-advice.ts';
import { table } from './markdown.ts';
import { CLOSE_ADVICE, EXIT_ADVICE, STATUS_ADVICE } from './outer-advice.ts';
import { REQUEST_ADVICE, UPLOAD_ADVICE, VIDEO_ADVICE, type Advice } from './request-advice.ts';

/** The text of docs/errors.md: every code that a client or an operator can meet. */
export function renderErrors(): string {
  return [
    HEADER,
    ...Object.entries(ENUM_ADVICE).map(([name, advice]) => enumSection(name, advice)),
    section('Errors of a request', REQUESTS, adviceRows(REQUEST_ADVICE), ADVICE_HEAD),
    section('Uploads', UPLOADS, adviceRows(UPLOAD_ADVICE), ADVICE_HEAD),
    section('Videos', VIDEOS, adviceRows(VIDEO_ADVICE), ADVICE_HEAD),
    section('Callbacks', CALLBACKS, callbackRows(), ADVICE_HEAD),
    section('Other addresses', OTHERS, entryRows(STATUS_ADVICE), ['HTTP', 'meaning', 'what to do']),
    section('WebSockets', SOCKETS, entryRows(CLOSE_ADVICE), ['close code', 'meaning', 'what to do']),
    section('Exit codes', EXITS, exitRows(), ['exit code', 'meaning', 'what to do']),
  ].join('\n\n');
}

const ADVICE_HEAD = ['code', 'HTTP', 'meaning', 'what to do'];

const HEADER = `# Errors

Generated from the schema and the code by \`npm run schema\`.

Expected outcomes are data of the schema (\`ValidationError\`, \`ProviderError\`, \`IdempotencyConflictError\`,
\`CannotCancelError\`, \`Task.failure\`). GraphQL errors are for requests that are malformed, refused or failed.`;

const REQUESTS = `\`extensions.code\` of an entry in \`errors\`, the same over HTTP, event streams and sockets. Where waiting helps,
\`extensions.retryAfter\` says how many seconds, and over HTTP \`Retry-After\` as well. Over HTTP a request that is refused before
it is executed is answered with problem details (RFC 9457) that hold \`errors\` as well. \`extensions.hint\` says how to fix it;
errors of a document, argument or variable say it in their message.

An error of a field has HTTP 200 when the response has data of another field. With no data at all, the status is that of
the error: 503 for a store that is unreachable, with \`Retry-After\`.`;
const UPLOADS = `\`POST /uploads\` answers with problem details (RFC 9457). Their \`code\` is one of these or of \`ValidationIssueCode\`
(HTTP 413, 415 or 422).`;
const VIDEOS =
  '`GET /videos/{taskId}/{place}/{token}.mp4` answers with problem details (RFC 9457). Their `code` is one of these.';
const CALLBACKS = `\`POST /webhooks/kie/{taskId}/{token}\` answers with problem details, whose \`code\` is one of these. kie.ai shows their status.
No answer says which part of a secret was wrong.`;
const OTHERS = 'Problem details that any URL may answer with. `hint` says how to fix the request.';
const SOCKETS =
  'Clients such as graphql-ws reconnect by themselves after most of them. The close reason says more.';
const EXITS = 'Of every command.';

function section(
  title: string,
  text: string,
  rows: readonly (readonly string[])[],
  head: readonly string[],
): string {
  return `## ${title}\n\n${text}\n\n${table(head, rows)}`;
}

function enumSection(name: string, advice: Readonly<Record<string, string>>): string {
  const type = schema.getType(name);
  if (!isEnumType(type)) throw new Error(`The schema has no enum ${name}`);
  const rows = type
    .getValues()
    .map((value) => [code(value.name), value.description ?? '', advice[value.name] ?? '']);
  return section(name, type.description ?? '', rows, ['code', 'meaning', 'what to do']);
}

function adviceRows(advice: Readonly<Record<string, Advice>>): readonly (readonly string[])[] {
  return Object.entries(advice).map(([name, { http, meaning, todo }]) => [code(name), http, meaning, todo]);
}

function entryRows(entries: Readonly<Record<string, readonly string[]>>): readonly (readonly string[])[] {
  return Object.entries(entries).map(([name, entry]) => [name, ...entry]);
}

function callbackRows(): readonly (readonly string[])[] {
  const refusals = Object.values(REFUSALS).toSorted((a, b) => a.status - b.status);
  return refusals.map(({ code: name = '', hint, message, status }) => [
    code(name),
    String(status),
    message,
    hint,
  ]);
}

function exitRows(): readonly (readonly string[])[] {
  return Object.entries(EXIT).map(([name, exitCode]) => [
    String(exitCode),
    ...EXIT_ADVICE[name as keyof typeof EXIT],
  ]);
}

function code(name: string): string {
  return `\`${name}\``;
}
