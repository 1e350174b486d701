import type { Config } from '../../config/config.ts';
import { callBack, type FarEnd } from './check-callbacks.ts';
import { findingsOf, type Finding } from './findings.ts';

const { failure, ok, skipped, warning } = findingsOf('signatures');

/** kie.ai makes keys far longer than this. */
const SHORT_KEY = 16;

/** Whether the running gateway accepts callbacks signed with each of the keys. */
export async function checkSignatures(
  config: Config,
  origin: string,
  farEnd: FarEnd,
  secret: Buffer | null,
): Promise<readonly Finding[]> {
  const keys = config.kieWebhookHmacKeys;
  const short = aboutShortKeys(keys);
  if (farEnd !== 'gateway')
    return [...short, skipped('not tried: no gateway that runs on this store was found at PUBLIC_URL')];
  if (keys.length === 0) return [await withoutKeys(config, origin, secret)];
  const echoes = await Promise.all(keys.map((hmacKey) => callBack({ origin, secret, hmacKey })));
  const refused = echoes.flatMap((echo, index) =>
    echo.kind === 'ours' && echo.isSigned ? [] : [String(index + 1)],
  );
  if (refused.length === 0)
    return [
      ...short,
      ok(
        `callbacks signed with ${keys.length === 1 ? 'the key' : `each of ${keys.length} keys`} are accepted`,
      ),
    ];
  return [
    ...short,
    failure(
      `the running gateway does not take what key ${refused.join(', ')} of KIE_WEBHOOK_HMAC_KEYS signs`,
      'Restart it with these settings. If it has them, look at the clocks of both machines.',
    ),
  ];
}

function aboutShortKeys(keys: readonly string[]): readonly Finding[] {
  if (!keys.some((key) => key.length < SHORT_KEY)) return [];
  return [
    warning(
      `a key in KIE_WEBHOOK_HMAC_KEYS is shorter than ${SHORT_KEY} characters`,
      'Copy the whole webhookHmacKey from https://kie.ai/settings.',
    ),
  ];
}

async function withoutKeys({ kieApiKey }: Config, origin: string, secret: Buffer | null): Promise<Finding> {
  if (kieApiKey === null) return skipped('the sandbox signs with a key that it makes at each start');
  const echo = await callBack({ origin, secret, hmacKey: null });
  if (echo.kind === 'ours' && echo.isSigned)
    return skipped('KIE_WEBHOOK_HMAC_KEYS is not set: callbacks are hints only');
  return warning(
    'the running gateway asks for signatures, and KIE_WEBHOOK_HMAC_KEYS is not set here',
    'Run doctor with the environment of the gateway.',
  );
}
