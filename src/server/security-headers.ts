/** What is sent is what it says it is, in nobody's frame, and its address is nobody else's business. */
export const SECURITY_FIELDS = Object.entries({
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
});
