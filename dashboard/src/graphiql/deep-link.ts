/** An operation to begin with, its variables as JSON, and which operation of several; each empty when there is none. */
export interface DeepLink {
  readonly query: string;
  readonly variables: string;
  readonly operationName: string;
}

/**
 * What the address asks for: `/graphql?query={operation}&variables={JSON}&operationName={name}`, as GraphQL over HTTP has it, or
 * the same behind a #, where it reaches no server and no log. It is taken out of the address, so that loading the page again
 * goes on with what was made of it.
 */
export function takeDeepLink(): DeepLink | null {
  const link = parseDeepLink(location.hash.replace(/^#/, '')) ?? parseDeepLink(location.search);
  if (link) history.replaceState(null, '', location.pathname);
  return link;
}

/** Null when no operation is asked for. All parts are text for editors, whatever they contain. */
function parseDeepLink(text: string): DeepLink | null {
  const asked = new URLSearchParams(text);
  const query = asked.get('query') ?? '';
  const operationName = asked.get('operationName') ?? '';
  return query === '' ? null : { query, variables: inLines(asked.get('variables') ?? ''), operationName };
}

/** JSON as one likes to read it; what is none stays as it is. */
function inLines(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
