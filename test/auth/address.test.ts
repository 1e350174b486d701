import { expect, test } from 'vitest';
import { countedAddress } from '../../src/limits/address.ts';

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::ffff:cb00:7107', '203.0.113.7'],
  ['203.0.113.7:50123', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
  ['[2001:db8:1:2::9]:50123', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['unknown', null],
  ['_hidden', null],
  ['12', null],
  ['203.0.113.7, 203.0.113.8', null],
  ['', null],
])('the address "%s" is counted as %s', (text, counted) => {
  expect(countedAddress(text)).toBe(counted);
});
