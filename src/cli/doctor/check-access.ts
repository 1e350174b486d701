import { USER_AGENT } from '../../version.ts';
import type { Config } from '../../config/config.ts';
import { parseJson, fieldsOf } from '../../providers/kie/wire.ts';
import { describeAccess } from '../banner.ts';
import { explainFailure, findingsOf, type Finding, REQUEST_MS } from './findings.ts';

const { failure, ok, warning } = findingsOf('access');

/** So many random characters of base64 hold 128 bits, which nobody finds by trying. */
const LONG_KEY = 22;

/** Who may call, and whether it can be found out who somebody is. */
export async function checkAccess(config: Config): Promise<readonly Finding[]> {
  const { jwtAudience, jwtJwksUrl } = config;
  return [
    ok(describeAccess(config)),
    ...aboutKeys(config),
    ...(jwtJwksUrl === null ? [] : [await aboutIssuer(jwtJwksUrl), ...aboutAudience(jwtAudience)]),
  ];
}

function aboutAudience(audience: string | null): readonly Finding[] {
  if (audience !== null) return [];
  return [
    warning(
      'JWT_AUDIENCE is not set: tokens that the issuer makes for other services are good here as well',
      'Set it, unless the issuer serves this gateway alone.',
    ),
  ];
}

function aboutKeys({ apiKeys }: Config): readonly Finding[] {
  const short = apiKeys.filter(({ key }) => key.length < LONG_KEY).map(({ owner }) => owner);
  if (short.length === 0) return [];
  const owners = [...new Set(short)].join(', ');
  return [
    warning(
      `API_KEYS: a key of ${owners} is shorter than ${LONG_KEY} characters`,
      'Make longer ones: openssl rand -base64 32',
    ),
  ];
}

async function aboutIssuer(url: string): Promise<Finding> {
  const mend =
    'Check JWT_JWKS_URL: it has to name the JSON Web Key Set of the issuer. No token is taken without it.';
  try {
    const answer = await fetch(url, {
      headers: { 'user-agent': USER_AGENT },
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const keys = fieldsOf(parseJson(await answer.text()))?.['keys'];
    if (answer.status !== 200) return failure(`${url} answers with HTTP ${answer.status}`, mend);
    if (!Array.isArray(keys) || keys.length === 0) return failure(`${url} holds no keys`, mend);
    return ok(`${url} holds ${keys.length === 1 ? '1 key' : `${keys.length} keys`}`);
  } catch (error) {
    return failure(`${url} cannot be reached: ${explainFailure(error)}`, mend);
  }
}
