import {
  archiveOf,
  videoExpiresAt,
  videoUrl,
  type Archived,
  type ArchiveState,
  type PlacedVideo,
} from '../resolvers/videos.ts';
import { builder, enumValues } from './builder.ts';

const ArchiveStateEnum = builder.enumType('ArchiveState', {
  description: "What became of this gateway's copy of a video. A task's own state never depends on it.",
  values: enumValues<ArchiveState>({
    OFF: 'This gateway keeps no copies, or kept none when the video was made.',
    PENDING: "Not stored yet. The provider's video is still there.",
    STORED: 'Stored, complete and verified.',
    LOST: 'The video could not be copied before the provider deleted it: `message` says why. Final.',
    DELETED: 'Deleted by a setting of this gateway. Final.',
  }),
});

const VideoArchiveType = builder.objectRef<Archived>('VideoArchive').implement({
  description:
    "This gateway's copy of a video. A change of it is a change of the task, which `tasksUpdated` delivers.",
  fields: (t) => ({
    state: t.expose('state', { type: ArchiveStateEnum, description: 'What became of the copy.' }),
    bytes: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Size of the file. null before it is STORED, as for all facts below.',
      resolve: ({ bytes }) => bytes,
    }),
    sha256: t.string({
      nullable: true,
      description: 'SHA-256 of the file, in hexadecimal.',
      resolve: ({ sha256 }) => sha256,
    }),
    durationSeconds: t.float({
      nullable: true,
      description: 'Duration of the video.',
      resolve: ({ durationSeconds }) => durationSeconds,
    }),
    width: t.int({ nullable: true, description: 'Width in pixels.', resolve: ({ width }) => width }),
    height: t.int({ nullable: true, description: 'Height in pixels.', resolve: ({ height }) => height }),
    storedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the copy was stored.',
      resolve: ({ storedAt }) => storedAt,
    }),
    message: t.string({
      nullable: true,
      description: 'Why the video is LOST. null in every other state.',
      resolve: ({ reason }) => reason,
    }),
  }),
});

export const VideoType = builder.objectRef<PlacedVideo>('Video').implement({
  description: 'A generated video. The provider keeps it for a limited time; this gateway may keep a copy.',
  fields: (t) => ({
    url: t.string({
      description:
        "URL to play or download it. With an archive it is an address of this gateway, which never changes: it redirects to the provider until the copy is STORED. Without one it is the provider's. Append `?download=1` to an address of this gateway to save the file under a name made of the prompt.",
      resolve: (video, _args, context) => videoUrl(video, context),
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When it may vanish. Until a copy is STORED: 24 hours after completion, when the provider may delete it. After that: when a setting of this gateway deletes it, or null when none does.',
      resolve: (video, _args, context) => videoExpiresAt(video, context),
    }),
    sourceUrl: t.exposeString('url', { description: "The provider's URL." }),
    archive: t.field({
      type: VideoArchiveType,
      description: "This gateway's copy.",
      resolve: (video, _args, context) => archiveOf(video, context),
    }),
  }),
});
