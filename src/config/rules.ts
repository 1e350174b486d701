import { environment } from './environment.ts';
import { isLoopback } from './loopback.ts';

/** One mistake for each set of values that are fine alone and wrong together. */
export function brokenRules(set: Readonly<Record<string, string>>): string[] {
  return [openToStrangers(set), urlWithoutKey(set)].filter((mistake) => mistake !== null);
}

function openToStrangers(set: Readonly<Record<string, string>>): string | null {
  const host = environment.shape.HOST.safeParse(set['HOST']);
  const anonymous = environment.shape.ALLOW_ANONYMOUS.safeParse(set['ALLOW_ANONYMOUS']);
  // A value that does not parse is reported for itself; what it was meant to say is not guessed.
  if (!host.success || !anonymous.success) return null;
  if (isLoopback(host.data) || anonymous.data) return null;
  return (
    `HOST=${JSON.stringify(host.data)}: not a loopback address, and this version has no access control yet: ` +
    'anyone who reaches it spends your kie.ai credits. Either listen on this machine alone (HOST=127.0.0.1, ' +
    'for instance behind a proxy that checks who calls) or allow everyone (ALLOW_ANONYMOUS=true)'
  );
}

function urlWithoutKey(set: Readonly<Record<string, string>>): string | null {
  if (set['KIE_API_URL'] === undefined || set['KIE_API_KEY'] !== undefined) return null;
  return (
    'KIE_API_URL is set without KIE_API_KEY: without a key the sandbox would answer instead of that address. ' +
    'Either set KIE_API_KEY (example: KIE_API_KEY=your-key) or unset KIE_API_URL'
  );
}
