import { ConfigError } from './config/config-error.ts';
import { environment, type Values } from './config/environment.ts';
import { invalidValues } from './config/invalid.ts';
import { misspeltVariables } from './config/misspelt.ts';
import { brokenRules } from './config/rules.ts';

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>}${Capitalize<CamelCase<Tail>>}`
  : Lowercase<Name>;

/** The settings of one process, frozen: each variable under its name in camel case (`PUBLIC_URL`: `publicUrl`). */
export type Config = { readonly [Name in keyof Values as CamelCase<Name>]: Values[Name] };

/**
 * Reads the settings from an environment. An empty value counts as unset; unknown variables are ignored unless
 * they look like a misspelt one of ours. Throws `ConfigError`, which lists every mistake and no secret.
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
      .map(([name, value]) => [name, value?.trim() ?? ''] as const)
      .filter(([, value]) => value !== ''),
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
