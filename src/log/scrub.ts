/** Replaces tokens and known secrets in a text by `[redacted]`. Takes time in proportion to the text, whatever it holds. */
export type Scrub = (text: string) => string;

/** Secrets under 8 characters are ignored: they would tear texts apart. */
export function createScrub(secrets: readonly string[]): Scrub {
  const literals = secrets
    .filter((secret) => secret.length >= 8)
    .map((secret) => JSON.stringify(secret).slice(1, -1));
  return (text) => {
    const scrubbed = MAY_HOLD_TOKEN.test(text) ? withoutTokens(text) : text;
    return literals.reduce((rest, literal) => rest.replaceAll(literal, '[redacted]'), scrubbed);
  };
}

/** How the tokens below begin: most lines hold none, and one search costs a quarter of three. */
const MAY_HOLD_TOKEN = /\/webhooks\/kie\/|\bBearer |\beyJ/i;

function withoutTokens(text: string): string {
  return text
    .replace(/(\/webhooks\/kie\/[^/\s"\\?#]+\/)[^/\s"\\?#]+/g, '$1[redacted]')
    .replace(/(\bBearer +)[^\s"\\]{8,}/gi, '$1[redacted]')
    .replace(/[\w.-]+/g, withoutWebToken);
}

/** The shortest header and payload that say anything. */
const MIN_WEB_TOKEN = 16;

/**
 * JSON Web Tokens: the header of every one begins with {" in base64url, and two dots follow. A single expression for all
 * three parts takes quadratic time for `-eyJ-eyJ-eyJ…`.
 */
function withoutWebToken(word: string): string {
  const start = word.search(/\beyJ/);
  if (start === -1) return word;
  const rest = word.slice(start);
  const isToken = rest.length >= MIN_WEB_TOKEN && rest.split('.', 3).length === 3;
  return isToken ? `${word.slice(0, start)}[redacted]` : word;
}
