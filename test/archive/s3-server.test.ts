import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { signatureOf } from '../kit/aws-signature.ts';

/** The keys and signatures of AWS's examples. */
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const DATE = '20130524T000000Z';
const SCOPE = ['20130524', 'us-east-1', 's3', 'aws4_request'];
const HOST = 'examplebucket.s3.amazonaws.com';
const NOTHING = createHash('sha256').digest('hex');
const WELCOME = createHash('sha256').update('Welcome to Amazon S3.').digest('hex');

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and sigv4-query-string-auth.html
it.each([
  {
    what: 'GET with a range',
    method: 'GET',
    path: '/test.txt',
    query: '',
    headers: { host: HOST, range: 'bytes=0-9', 'x-amz-content-sha256': NOTHING, 'x-amz-date': DATE },
    payload: NOTHING,
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    what: 'PUT',
    method: 'PUT',
    path: '/test$file.text',
    query: '',
    headers: {
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      host: HOST,
      'x-amz-content-sha256': WELCOME,
      'x-amz-date': DATE,
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    },
    payload: WELCOME,
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    what: 'GET of a list',
    method: 'GET',
    path: '/',
    query: 'max-keys=2&prefix=J',
    headers: { host: HOST, 'x-amz-content-sha256': NOTHING, 'x-amz-date': DATE },
    payload: NOTHING,
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
  {
    what: 'a presigned URL',
    method: 'GET',
    path: '/test.txt',
    query:
      'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host',
    headers: { host: HOST },
    payload: 'UNSIGNED-PAYLOAD',
    signature: 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  },
])(
  "the S3 of the tests computes the signature of AWS's example: $what",
  ({ query, signature, ...request }) => {
    const signed = Object.keys(request.headers);
    const rest = { query: new URLSearchParams(query), signed, date: DATE, scope: SCOPE };
    expect(signatureOf({ ...request, ...rest }, SECRET)).toBe(signature);
  },
);
