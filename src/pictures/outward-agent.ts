import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, interceptors, type Dispatcher } from 'undici';
import { createOutwardLookup } from './outward-lookup.ts';
import { isPublicAddress } from './public-address.ts';

export interface OutwardOptions {
  /** Resolves names; by the system's name servers when absent. */
  readonly lookup?: LookupFunction;
  /** Which addresses may be connected to; the public ones when absent. */
  readonly isAllowed?: (address: string) => boolean;
  readonly connectTimeoutMs: number;
  /** How many redirects are followed. */
  readonly maxRedirections: number;
}

/** An address leads somewhere that this gateway does not go. */
export class NotPublicError extends Error {
  override readonly name = 'NotPublicError';
}

/**
 * An HTTP client that cannot be led into the network that it stands in. What is judged is the address that is then
 * connected to, at each connection, so neither a name that resolves to something else the next time nor a
 * redirect gets past. To be destroyed after use.
 */
export function createOutwardAgent(options: OutwardOptions): Dispatcher {
  const {
    connectTimeoutMs,
    isAllowed = isPublicAddress,
    lookup = createOutwardLookup(),
    maxRedirections,
  } = options;
  const connect = buildConnector({ lookup: checked(lookup, isAllowed), timeout: connectTimeoutMs });
  const agent = new Agent({
    connect: (target, callback) => {
      const host = target.hostname.replace(/^\[|\]$/g, '');
      // Nothing is looked up for what is an address already.
      if (isIP(host) !== 0 && !isAllowed(host)) callback(new NotPublicError('not a public address'), null);
      else connect(target, callback);
    },
  });
  return agent.compose(interceptors.redirect({ maxRedirections }));
}

/** Resolves names as `lookup` does, but to nothing when one of the addresses may not be connected to. */
function checked(lookup: LookupFunction, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = found as unknown as readonly LookupAddress[];
      const [first] = error ? [] : addresses;
      if (error) callback(error, '');
      else if (!first || !addresses.every(({ address }) => isAllowed(address)))
        callback(new NotPublicError('a name that leads to no public address'), '');
      else if (options.all === true) callback(null, [...addresses]);
      else callback(null, first.address, first.family);
    });
  };
}
