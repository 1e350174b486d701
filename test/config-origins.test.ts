import { describe, expect, it } from 'vitest';
import { parseConfig } from '../src/config/config.ts';
import { reportOf } from './kit/documentation.ts';

describe('ALLOWED_ORIGINS', () => {
  it('takes the origins of apps and extensions as they are written', () => {
    const origins = [
      'capacitor://localhost',
      'ionic://localhost',
      'tauri://localhost',
      'app://my.app:8080',
      'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
      'moz-extension://0b1c2d3e-0000-4000-8000-0123456789ab',
      'safari-web-extension://0B1C2D3E-0000-4000-8000-0123456789AB',
    ];
    expect(
      parseConfig({ ALLOWED_ORIGINS: `${origins.join()},capacitor://localhost/` }).allowedOrigins,
    ).toEqual(origins);
    expect(parseConfig({ ALLOWED_ORIGINS: 'HTTPS://App.Example.com:443/' }).allowedOrigins).toEqual([
      'https://app.example.com',
    ]);
  });

  it.each([
    'null',
    '*',
    'capacitor://',
    'tauri://localhost/page',
    'chrome-extension://*',
    'ionic://user@localhost',
    'ws://app.example.com',
    'file://localhost',
    'htps://app.example.com',
    'httpss://app.example.com',
    'localhost',
  ])('refuses %s as the origin of a page', (value) => {
    expect(reportOf({ ALLOWED_ORIGINS: value })).toContain(
      'expected an http(s) URL, or the origin of an app or extension such as capacitor://localhost',
    );
  });
});
