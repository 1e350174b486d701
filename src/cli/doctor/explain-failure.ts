/** Why a connection or a request failed, in one sentence part, with the code by which it can be looked up. */
export function explainFailure(error: unknown): string {
  const root = rootOf(error);
  if (root.name === 'TimeoutError') return 'no answer in time';
  const code = 'code' in root && typeof root.code === 'string' ? root.code : '';
  const meaning =
    MEANINGS[code] ?? (/^(CERT_|ERR_TLS_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code) ? TLS : null);
  return meaning === null ? `${root.message}${code === '' ? '' : ` (${code})`}` : `${meaning} (${code})`;
}

const TLS = 'its certificate is not valid for this address';

const MEANINGS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'DNS knows no such host',
  EAI_AGAIN: 'DNS does not answer',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  ETIMEDOUT: 'no connection in time',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  EHOSTUNREACH: 'there is no way to this host',
  ENETUNREACH: 'there is no way to this network',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself alone',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody who is known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is signed by nobody who is known here; the chain may be incomplete',
  ERR_SSL_WRONG_VERSION_NUMBER: 'what listens there does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'what listens there does not speak TLS',
};

/** fetch says only that it failed; the reason is the cause, or the first of several. */
function rootOf(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  if (!(error instanceof Error)) return new Error(String(error));
  return error.cause instanceof Error ? rootOf(error.cause) : error;
}
