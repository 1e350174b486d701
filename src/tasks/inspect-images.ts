import type { ImageIssue, InspectImage } from './image-issue.ts';
import type { TaskInput } from './task.ts';
import type { ValidationIssue } from './validate-input.ts';

/** Looks at the pictures of an input and returns what is wrong with them. */
export async function inspectImages(
  inspect: InspectImage,
  owner: string,
  { endImageUrl, imageUrl }: TaskInput,
  stopping: AbortSignal,
): Promise<readonly ValidationIssue[]> {
  const first = inspect(owner, imageUrl, stopping);
  const last =
    endImageUrl === null || endImageUrl === imageUrl ? first : inspect(owner, endImageUrl, stopping);
  const [ofFirst, ofLast] = await Promise.all([first, last]);
  return [...issuesOf('imageUrl', ofFirst), ...issuesOf('endImageUrl', endImageUrl === null ? null : ofLast)];
}

function issuesOf(field: 'imageUrl' | 'endImageUrl', issue: ImageIssue | null): readonly ValidationIssue[] {
  return issue ? [{ field, code: issue.code, message: `${field}: ${issue.message}` }] : [];
}
