import { cursorOf, type TaskPage } from '../tasks/list-tasks.ts';
import { builder } from './builder.ts';

export const PageInfoType = builder.objectRef<TaskPage>('PageInfo').implement({
  description: 'Where a page stands in its list, as the Relay cursor connections specification has it.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether there are older tasks.' }),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage', {
      description: 'Whether this page was reached from a newer one.',
    }),
    startCursor: t.string({
      nullable: true,
      description: 'The cursor of the first edge; null on an empty page.',
      resolve: ({ tasks: [first] }) => (first ? cursorOf(first) : null),
    }),
    endCursor: t.string({
      nullable: true,
      description:
        'The cursor of the last edge, to be given as `after` for the next page; null on an empty page.',
      resolve: ({ tasks }) => {
        const last = tasks.at(-1);
        return last ? cursorOf(last) : null;
      },
    }),
  }),
});
