import { Resolver } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';

const TIMEOUT_MS = 2_000;
const TRIES = 2;

/**
 * Asks name servers itself: the system's own way cannot be given up, so that a few names whose servers do not answer
 * hold up every other lookup of the process. What stands in the machine's own files is not known to it.
 */
export function createOutwardLookup(servers?: readonly string[]): LookupFunction {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (servers) resolver.setServers(servers);

  return (hostname, _options, callback) => {
    void Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]).then(([v4, v6]) => {
      const addresses = [
        ...(v4.status === 'fulfilled' ? v4.value.map((address) => ({ address, family: 4 })) : []),
        ...(v6.status === 'fulfilled' ? v6.value.map((address) => ({ address, family: 6 })) : []),
      ];
      const failure: unknown = v4.status === 'rejected' ? v4.reason : null;
      if (addresses.length > 0) callback(null, addresses);
      else callback(failure instanceof Error ? failure : new Error('a name without addresses'), '');
    });
  };
}
