import { createHash, createHmac } from 'node:crypto';

/** What AWS signs of a request. */
export interface SignedRequest {
  readonly method: string;
  /** As sent, percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names are in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Names of the signed headers, as the request lists them. */
  readonly signed: readonly string[];
  /** Hash of the body, or UNSIGNED-PAYLOAD. */
  readonly payload: string;
  /** As 20130524T000000Z. */
  readonly date: string;
  /** Day, region, service and aws4_request. */
  readonly scope: readonly string[];
}

/**
 * Signature Version 4, in hexadecimal, for headers and for queries. Written from AWS's pages with Node's functions alone, so that
 * it can judge a client:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export function signatureOf(request: SignedRequest, secret: string): string {
  const { date, headers, method, path, payload, query, scope, signed } = request;
  const canonical = [
    method,
    path.split('/').map(decodeURIComponent).map(encode).join('/'),
    canonicalQuery(query),
    ...signed.map((name) => `${name}:${String(headers[name] ?? '').trim()}`),
    '',
    signed.join(';'),
    payload,
  ].join('\n');
  const hash = createHash('sha256').update(canonical).digest('hex');
  const key = scope.reduce<Buffer>((parent, part) => hmac(parent, part), Buffer.from(`AWS4${secret}`));
  return hmac(key, ['AWS4-HMAC-SHA256', date, scope.join('/'), hash].join('\n')).toString('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Every byte but A-Z, a-z, 0-9 and -._~ as %XY. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
}
