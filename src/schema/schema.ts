import { builder } from './builder.ts';
import './builder.ts';
import './cancel-task.ts';
import './create-image-to-video.ts';
import './queries.ts';
import './subscriptions.ts';
import './task.ts';

builder.queryType({ description: 'What there is now.' });
builder.mutationType({ description: 'What can be done.' });
builder.subscriptionType({
  description: 'What happens, as it happens, over WebSocket or Server-Sent Events.',
});

/** The API as clients see it. */
export const schema = builder.toSchema();
