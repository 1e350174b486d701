import type { Video } from '../tasks/task.ts';
import { builder } from './builder.ts';

export const VideoType = builder.objectRef<Video>('Video').implement({
  description: 'A generated video, kept by the provider for a limited time.',
  fields: (t) => ({
    url: t.exposeString('url', { description: 'Where to play or download it.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the provider may delete it: download it before. 24 hours after completion.',
    }),
  }),
});
