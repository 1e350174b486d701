import { builder } from './builder.ts';

export const UserErrorInterface = builder.interfaceRef<unknown>('UserError').implement({
  description: 'An expected way not to succeed, as data.',
  fields: (t) => ({
    message: t.string({
      description: 'What went wrong and what can be done, for people.',
      resolve: () => {
        throw new Error('every type that implements UserError says its own message');
      },
    }),
  }),
});
