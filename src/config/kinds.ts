import proxyAddr from '@fastify/proxy-addr';
import { isIP } from 'node:net';
import { z } from 'zod';
import { didYouMean } from './suggest.ts';

// The kinds of text that a variable may hold. Every message completes the sentence "…: expected".

function text(isRight: (text: string) => boolean, error: string) {
  return z.string().refine(isRight, { error });
}

/** Null when the variable is unset. */
export function optional<Kind extends z.ZodType>(kind: Kind) {
  return kind.nullable().default(null);
}

/** A whole number in decimal digits, both bounds allowed. */
export function integer(min: number, max: number) {
  const isInRange = (value: number): boolean => value >= min && value <= max;
  const digits = text(
    (value) => /^\d{1,15}$/.test(value) && isInRange(Number(value)),
    `an integer from ${min} to ${max}`,
  );
  return digits.transform(Number);
}

/** One of a few words; a near miss is told what was probably meant. */
export function choice<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, {
    error: ({ input }) => `one of ${words.join(', ')}${didYouMean(String(input), words)}`,
  });
}

/** A switch: `true` or `1`, `false` or `0`. */
export function boolean(standard: boolean) {
  const words = choice(['true', 'false', '1', '0']);
  return words.transform((word) => word === 'true' || word === '1').default(standard);
}

/** Scheme, host and port of an http(s) URL, normalised as browsers write it, without a trailing slash. */
export function origin() {
  return text(
    isOrigin,
    'an absolute http(s) URL of scheme, host and port alone, without path, query, user or wildcard',
  ).transform((url) => new URL(url).origin);
}

/**
 * What browsers and web views send as the Origin of a page: an http(s) origin, or scheme and host of an app or extension,
 * such as capacitor://localhost. Those are kept as they are written, because URL changes nothing in them either.
 */
export function pageOrigin() {
  return z
    .string()
    .refine((url) => isOrigin(url) || isAppOrigin(url), {
      error: ({ input }) =>
        `an http(s) URL, or the origin of an app or extension such as capacitor://localhost: scheme, host and port alone, without path, query, user or wildcard${didYouMean(schemeOf(String(input)), ['http', 'https'])}`,
    })
    .transform((url) => (isOrigin(url) ? new URL(url).origin : url.replace(/\/$/, '')));
}

/** An IP address (brackets around IPv6 are dropped) or a host name. */
export function host() {
  return z
    .string()
    .transform((name) => name.replace(/^\[(.*)\]$/, '$1').toLowerCase())
    .refine((name) => isIP(name) !== 0 || isHostName(name), { error: 'an IP address or a host name' });
}

/** A key or shared secret: it travels in headers, where anything but visible ASCII breaks the request. */
export function secret(minLength = 1) {
  return text(
    (value) => /^(?!["'].*["']$)[\x21-\x7e]+$/.test(value),
    'visible ASCII without spaces or quotes around it',
  ).refine((value) => value.length >= minLength, { error: `at least ${minLength} characters` });
}

/** At least one item between commas; white space around them, empty ones and repetitions are dropped. */
export function list<Item extends z.ZodType<string, string>>(item: Item) {
  return z
    .string()
    .transform((items) => items.split(',').map((part) => part.trim()))
    .transform((parts) => parts.filter((part) => part !== ''))
    .refine((parts) => parts.length > 0, { error: 'at least one item, or leave it unset', abort: true })
    .pipe(z.array(item))
    .transform((items) => [...new Set(items)])
    .default([])
    .readonly();
}

/** An absolute http(s) URL of any path; one with a password could be neither fetched nor shown. */
export function httpUrl() {
  return text(
    (url) =>
      /^https?:\/\/\S+$/i.test(url) &&
      URL.canParse(url) &&
      new URL(url).username === '' &&
      new URL(url).password === '',
    'an absolute http(s) URL without user and password',
  );
}

/** An http(s) proxy, as a URL or as host:port alone; it may have a user and a password. */
export function proxyUrl() {
  return z
    .string()
    .transform((url) => (/^[a-z][a-z\d+.-]*:\/\//i.test(url) ? url : `http://${url}`))
    .refine(isProxyUrl, { error: 'the address of an HTTP proxy, such as http://proxy.example.com:3128' });
}

/** Where a PostgreSQL server and a database on it are. */
export function databaseUrl() {
  return z.url({
    protocol: /^postgres(ql)?$/,
    error: 'an address of the form postgres://user:password@host:port/database',
  });
}

/** `owner:key`; the owner may hold no colon. */
export function apiKeys() {
  const item = text(
    (pair) => /^[^:\s]{1,255}:[\x21-\x7e]{8,}$/.test(pair),
    'items of the form owner:key, each key of at least 8 characters without spaces',
  );
  return list(item).transform((pairs): readonly { readonly owner: string; readonly key: string }[] =>
    pairs.map((pair) => ({
      owner: pair.slice(0, pair.indexOf(':')),
      key: pair.slice(pair.indexOf(':') + 1),
    })),
  );
}

/** An IP address, or a network as address/bits. */
export function network() {
  return text(isNetwork, 'IP addresses or networks such as 10.0.0.0/8, not every address (/0)');
}

function isNetwork(value: string): boolean {
  const [address = '', bits = '32'] = value.split('/');
  // It takes more than addresses and bits, and throws for what it does not take.
  if (isIP(address) === 0 || !/^\d{1,3}$/.test(bits)) return false;
  try {
    proxyAddr.compile(value);
    return true;
  } catch {
    return false;
  }
}

function isOrigin(url: string): boolean {
  // URL alone is too kind: it takes `https:host`, `https://*.host` and drops an empty query.
  return /^https?:\/\/[^\s/?#@\\*,]+\/?$/i.test(url) && URL.canParse(url);
}

/** Schemes with hosts whose pages never call, or whose pages share one origin. */
const NO_APPS = ['ws', 'wss', 'ftp', 'file', 'data', 'blob', 'about'];

function isAppOrigin(url: string): boolean {
  const scheme = schemeOf(url);
  return (
    /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@\\*,]+\/?$/.test(url) &&
    !NO_APPS.includes(scheme) &&
    // A mistyped https would be taken for an app.
    didYouMean(scheme, ['http', 'https']) === ''
  );
}

function schemeOf(url: string): string {
  return url.split(':', 1)[0] ?? '';
}

function isProxyUrl(url: string): boolean {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return false;
  const { pathname, search } = new URL(url);
  return pathname === '/' && search === '' && !/%(?![\da-f]{2})/i.test(url);
}

function isHostName(name: string): boolean {
  const looksLikeAddress = /^[\d.]+$/.test(name);
  return !looksLikeAddress && /^[a-z\d]([a-z\d.-]*[a-z\d])?$/.test(name);
}
