import type { z } from 'zod';
import { ConfigError } from './config-error.ts';
import { brokenRules } from './rules.ts';
import { misspeltVariables } from './suggest.ts';
import { VARIABLES, type Config, type Variable } from './variables.ts';

export type { Config } from './variables.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings from an environment. An empty value counts as unset, white space alone does not; unknown variables are
 * ignored unless they look like a misspelt one of ours. Throws `ConfigError`, which lists every mistake and no secret.
 */
export function parseConfig(env: Environment): Config {
  const set = withProxyNames(withoutEmpty(env));
  const values: Record<string, unknown> = {};
  const mistakes: string[] = [];
  for (const [name, variable] of Object.entries<Variable>(VARIABLES)) {
    const { data, error } = variable.kind.safeParse(set[name]);
    if (set[name] === '') mistakes.push(explain(name, variable));
    else if (error) mistakes.push(...error.issues.map((issue) => explain(name, variable, set[name], issue)));
    else values[name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())] = data;
  }
  mistakes.push(...brokenRules(values), ...misspeltVariables(set, Object.keys(VARIABLES)));
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return Object.freeze(values as Config);
}

function withoutEmpty(env: Environment): Record<string, string> {
  const set = Object.entries(env).filter((entry): entry is [string, string] => (entry[1] ?? '') !== '');
  return Object.fromEntries(set.map(([name, value]) => [name, value.trim()]));
}

/** Other programs read these names in lower case as well, and that one first. */
function withProxyNames(set: Record<string, string>): Record<string, string> {
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']) {
    const { [name.toLowerCase()]: value, ...others } = set;
    if (value !== undefined) set = { ...others, [name]: value };
  }
  return set;
}

/** The mistake in a value, or in an item of a list. */
function explain(
  name: string,
  { example, isSecret }: Variable,
  value = '',
  { message, path: [index] }: Pick<z.core.$ZodIssue, 'message' | 'path'> = { message: '', path: [] },
): string {
  if (value === '')
    return `${name} holds white space only: set a value (example: ${name}=${example}), or leave it unset`;
  const shown = isSecret ? name : `${name}=${quote(value)}`;
  const item = typeof index === 'number' ? `, item ${index + 1}` : '';
  return `${shown}${item}: expected ${message} (example: ${name}=${example})`;
}

/** A value as it may be printed: on one line, not too long, without the user and password of a URL. */
function quote(value: string): string {
  const safe = value.replace(/\/\/.*@/s, '//[redacted]@');
  return JSON.stringify(safe.length > 100 ? `${safe.slice(0, 100)}…` : safe);
}

/** Whether a gateway with this configuration asks no caller for credentials. */
export function isOpen({ apiKeys, jwtJwksUrl, jwtSecret }: Config): boolean {
  return apiKeys.length === 0 && jwtJwksUrl === null && jwtSecret.length === 0;
}
