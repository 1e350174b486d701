import proxyAddr from '@fastify/proxy-addr';
import { isIP } from 'node:net';
import { z } from 'zod';
import { didYouMean } from './suggest.ts';

// The kinds of text a variable may hold. Every message completes the sentence "…: expected".

/** A whole number in decimal digits, both bounds allowed. */
export function integer(min: number, max: number) {
  const error = `an integer from ${min} to ${max}`;
  const digits = z.string().regex(/^\d{1,15}$/, { error });
  return digits.transform(Number).pipe(z.number().min(min, { error }).max(max, { error }));
}

/** One of a few words; a near miss is told what was probably meant. */
export function choice<const Words extends readonly string[]>(words: Words) {
  return z.enum(words, {
    error: ({ input }) => `one of ${words.join(', ')}${didYouMean(String(input), words)}`,
  });
}

/** A switch: `true` or `1`, `false` or `0`. */
export function boolean() {
  return choice(['true', 'false', '1', '0']).transform((word) => word === 'true' || word === '1');
}

/** Scheme, host and port of an http(s) URL, normalised as browsers write it, without a trailing slash. */
export function origin() {
  return z
    .string()
    .refine(isOrigin, {
      error: 'an absolute http(s) URL of scheme, host and port alone, without path, query, user or wildcard',
    })
    .transform((text) => new URL(text).origin);
}

/**
 * What browsers and web views send as the Origin of a page: an http(s) origin, or scheme and host of an app or extension,
 * such as capacitor://localhost. Those are kept as they are written, because URL changes nothing in them either.
 */
export function pageOrigin() {
  return z
    .string()
    .refine((text) => isOrigin(text) || isAppOrigin(text), {
      error: ({ input }) =>
        `an http(s) URL, or the origin of an app or extension such as capacitor://localhost: scheme, host and port alone, without path, query, user or wildcard${didYouMean(schemeOf(String(input)), ['http', 'https'])}`,
    })
    .transform((text) => (isOrigin(text) ? new URL(text).origin : text.replace(/\/$/, '')));
}

/** An IP address (brackets around IPv6 are dropped) or a host name. */
export function host() {
  return z
    .string()
    .transform((text) => text.replace(/^\[(.*)\]$/, '$1').toLowerCase())
    .refine((text) => isIP(text) !== 0 || isHostName(text), { error: 'an IP address or a host name' });
}

/** A key or shared secret: it travels in headers, where anything but visible ASCII breaks the request. */
export function secret() {
  return z
    .string()
    .regex(/^(?!["'].*["']$)[\x21-\x7e]+$/, { error: 'visible ASCII without spaces or quotes around it' });
}

/** A path in the file system. */
export function directory() {
  return z.string().min(1);
}

/** At least one item between commas; white space around them, empty ones and repetitions are dropped. */
export function list<Item extends z.ZodType<string, string>>(item: Item) {
  return z
    .string()
    .transform((text) => text.split(',').map((part) => part.trim()))
    .transform((parts) => parts.filter((part) => part !== ''))
    .refine((parts) => parts.length > 0, { error: 'at least one item, or leave it unset', abort: true })
    .pipe(z.array(item))
    .transform((items) => [...new Set(items)])
    .default([])
    .readonly();
}

/** An absolute http(s) URL of any path; one with a password could be neither fetched nor shown. */
export function httpUrl() {
  return z.string().refine(isHttpUrl, { error: 'an absolute http(s) URL without user and password' });
}

/** An http(s) proxy, as a URL or as host:port alone; it may have a user and a password. */
export function proxyUrl() {
  return z
    .string()
    .transform((text) => (/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`))
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
export function ownedKey() {
  return z.string().regex(/^[^:\s]{1,255}:[\x21-\x7e]{8,}$/, {
    error: 'items of the form owner:key, each key of at least 8 characters without spaces',
  });
}

/** Splits what `ownedKey` let through. */
export function toApiKeys(
  items: readonly string[],
): readonly { readonly owner: string; readonly key: string }[] {
  return items.map((item) => {
    const at = item.indexOf(':');
    return { owner: item.slice(0, at), key: item.slice(at + 1) };
  });
}

/** An IP address, or a network as address/bits. */
export function network() {
  return z
    .string()
    .refine(isNetwork, { error: 'IP addresses or networks such as 10.0.0.0/8, not every address (/0)' });
}

function isNetwork(text: string): boolean {
  const [address = '', bits = '32'] = text.split('/');
  // It takes more than addresses and bits, and throws for what it does not take.
  if (isIP(address) === 0 || !/^\d{1,3}$/.test(bits)) return false;
  try {
    proxyAddr.compile(text);
    return true;
  } catch {
    return false;
  }
}

function isOrigin(text: string): boolean {
  // URL alone is too kind: it takes `https:host`, `https://*.host` and drops an empty query.
  return /^https?:\/\/[^\s/?#@\\*,]+\/?$/i.test(text) && URL.canParse(text);
}

/** Schemes with hosts whose pages never call, or whose pages share one origin. */
const NO_APPS = ['ws', 'wss', 'ftp', 'file', 'data', 'blob', 'about'];

function isAppOrigin(text: string): boolean {
  const scheme = schemeOf(text);
  return (
    /^[a-z][a-z\d+.-]*:\/\/[^\s/?#@\\*,]+\/?$/.test(text) &&
    !NO_APPS.includes(scheme) &&
    // A mistyped https would be taken for an app.
    didYouMean(scheme, ['http', 'https']) === ''
  );
}

function schemeOf(text: string): string {
  return text.split(':', 1)[0] ?? '';
}

function isHttpUrl(text: string): boolean {
  if (!/^https?:\/\/\S+$/i.test(text) || !URL.canParse(text)) return false;
  const { password, username } = new URL(text);
  return username === '' && password === '';
}

function isProxyUrl(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const { pathname, search } = new URL(text);
  return pathname === '/' && search === '' && !/%(?![\da-f]{2})/i.test(text);
}

function isHostName(text: string): boolean {
  const looksLikeAddress = /^[\d.]+$/.test(text);
  return !looksLikeAddress && /^[a-z\d]([a-z\d.-]*[a-z\d])?$/.test(text);
}
