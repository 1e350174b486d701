/** An operation to begin with, and its variables as JSON; empty when there are none. */
export interface DeepLink {
  readonly query: string;
  readonly variables: string;
}

/**
 * What the address asks for: `/graphql#query={operation}&variables={JSON}`, both percent-encoded. Behind the #, it reaches no
 * server and no log. It is taken out of the address, so that loading the page again goes on with what was made of it.
 */
export function takeDeepLink(): DeepLink | null {
  const link = parseDeepLink(location.hash);
  if (link) history.replaceState(null, '', location.pathname + location.search);
  return link;
}

/** Null when no operation is asked for. Both parts are text for editors, whatever they contain. */
export function parseDeepLink(hash: string): DeepLink | null {
  const asked = new URLSearchParams(hash.replace(/^#/, ''));
  const query = asked.get('query') ?? '';
  return query === '' ? null : { query, variables: inLines(asked.get('variables') ?? '') };
}

/** JSON as one likes to read it; what is none stays as it is. */
function inLines(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
