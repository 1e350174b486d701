/** What the gateway says of itself in the page. */
export interface Settings {
  /** Nothing is charged: a stand-in makes the videos. */
  readonly sandbox: boolean;
  /** Callers have to say who they are. */
  readonly signIn: boolean;
  readonly graphiql: boolean;
  readonly version: string;
}

const NOTHING: Settings = { sandbox: false, signIn: false, graphiql: true, version: '' };

function read(): Settings {
  const content = document.querySelector<HTMLMetaElement>('meta[name="kineograph"]')?.content ?? '{}';
  return { ...NOTHING, ...(JSON.parse(content) as Partial<Settings>) };
}

export const settings: Settings = read();
