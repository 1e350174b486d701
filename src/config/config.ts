import { environment, type Values } from './variables.ts';
import { misspeltVariables } from './suggest.ts';
import { brokenRules } from './rules.ts';
import { factsOf } from './facts.ts';

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<Name>;

/** The settings of one process, frozen: each variable under its name in camel case (`PUBLIC_URL`: `publicUrl`). */
export type Config = { readonly [Name in keyof Values as CamelCase<Name>]: Values[Name] };

/**
 * Reads the settings from an environment. An empty value counts as unset, white space alone does not; unknown variables are
 * ignored unless they look like a misspelt one of ours. Throws `ConfigError`, which lists every mistake and no secret.
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const set = withProxyNames(withoutEmpty(env));
  const mistakes = [
    ...invalidValues(set),
    ...brokenRules(set),
    ...misspeltVariables(set, Object.keys(environment.shape)),
  ];
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return inCamelCase(environment.parse(set));
}

function withoutEmpty(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env)
      .filter((entry): entry is [string, string] => (entry[1] ?? '') !== '')
      .map(([name, value]) => [name, value.trim()]),
  );
}

/** Other programs read these names in lower case as well, and that one first. */
function withProxyNames(set: Record<string, string>): Record<string, string> {
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => {
    const value = set[name.toLowerCase()];
    return value === undefined ? [] : [[name, value] as const];
  });
  const rest = Object.entries(set).filter(
    ([name]) => !proxies.some(([upper]) => upper === name.toUpperCase()),
  );
  return Object.fromEntries([...rest, ...proxies]);
}

function inCamelCase(values: Values): Config {
  const entries = Object.entries(values).map(([name, value]) => [
    name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.freeze(Object.fromEntries(entries) as Config);
}

/** The environment is wrong. The message is the whole report, fit to be printed as it is. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    const count = mistakes.length === 1 ? 'is 1 mistake' : `are ${mistakes.length} mistakes`;
    super(`There ${count} in the environment:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}

/** One mistake for each value, or item of a list, that its variable does not take. */
export function invalidValues(set: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment.shape).flatMap(([name, variable]) => {
    const { example, secret } = factsOf(variable);
    const shown = secret ? name : `${name}=${quote(set[name] ?? '')}`;
    if (set[name] === '')
      return [`${name} holds white space only: set a value (example: ${name}=${example}), or leave it unset`];
    return (variable.safeParse(set[name]).error?.issues ?? []).map(({ path: [index], message }) => {
      const item = typeof index === 'number' ? `, item ${index + 1}` : '';
      return `${shown}${item}: expected ${message} (example: ${name}=${example})`;
    });
  });
}

/** A value as it may be printed: on one line, not too long, without the user and password of a URL. */
function quote(value: string): string {
  const safe = value.replace(/\/\/.*@/s, '//[redacted]@');
  return JSON.stringify(safe.length > 100 ? `${safe.slice(0, 100)}…` : safe);
}

/** Whether a gateway with this configuration asks nobody who they are. */
export function isOpen({ apiKeys, jwtJwksUrl, jwtSecret }: Config): boolean {
  return apiKeys.length === 0 && jwtJwksUrl === null && jwtSecret.length === 0;
}
