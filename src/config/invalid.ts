import { environment } from './environment.ts';
import { factsOf } from './facts.ts';

/** One mistake for each value, or item of a list, that its variable does not take. */
export function invalidValues(set: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment.shape).flatMap(([name, variable]) => {
    const { example, secret } = factsOf(variable);
    const shown = secret ? name : `${name}=${quote(set[name] ?? '')}`;
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
