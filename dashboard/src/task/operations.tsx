import { settings } from '../api/settings.ts';
import type { Task } from '../api/operations.ts';
import { useText } from '../text/language.ts';

const FIELDS = `id state revision model prompt imageUrl endImageUrl promptOptimizer
    createdAt updatedAt completedAt expectedAt providerTaskId creditsConsumed
    options { durationSeconds resolution sound negativePrompt seed }
    videos { url sourceUrl expiresAt archive { state bytes sha256 durationSeconds width height storedAt message } }
    failure { code providerCode message retryable }
    timeline { state at source }`;

const QUERY = `query Task($id: ID!) {
  task(id: $id) {
    ${FIELDS}
  }
}
`;

const WATCH = `subscription Watch($id: ID!) {
  taskUpdated(id: $id) {
    ${FIELDS}
  }
}
`;

/** The operations that show this video, to be tried in GraphiQL. */
export function Operations({ task: { id } }: { task: Task }) {
  const t = useText();
  const operations = [
    [t('operationQuery'), QUERY],
    [t('operationWatch'), WATCH],
  ] as const;
  return (
    <section className="card" aria-labelledby="operations-title">
      <h3 id="operations-title">{t('operations')}</h3>
      {operations.map(([name, query]) => (
        <details key={name}>
          <summary>{name}</summary>
          <pre>{query}</pre>
          {settings.graphiql && (
            <a href={linkTo(query, id)} target="_blank" rel="noreferrer">
              {t('openInGraphiql')}
            </a>
          )}
        </details>
      ))}
    </section>
  );
}

function linkTo(query: string, id: string): string {
  const variables = JSON.stringify({ id }, null, 2);
  return `/graphql#query=${encodeURIComponent(query)}&variables=${encodeURIComponent(variables)}`;
}
