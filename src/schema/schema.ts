import { builder } from './builder.ts';
import './builder.ts';
import './cancel-task.ts';
import './create-image-to-video.ts';
import './model.ts';
import './queries.ts';
import './subscriptions.ts';
import './task.ts';

builder.queryType({ description: 'The current state of tasks and of the account.' });
builder.mutationType({ description: 'Operations that create or change tasks.' });
builder.subscriptionType({
  description: 'Live updates over WebSocket or Server-Sent Events.',
});

/** The API as clients see it. In the order of the code: the values of an enum have one. */
export const schema = builder.toSchema({ sortSchema: false });
