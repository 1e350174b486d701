import type { InspectImage } from './image-issue.ts';
import type { TaskInput } from './task.ts';
import type { ValidationIssue } from './validate-input.ts';

/** Looks at the pictures of an input and returns what is wrong with them. */
export async function inspectImages(
  inspect: InspectImage,
  { endImageUrl, imageUrl }: TaskInput,
): Promise<readonly ValidationIssue[]> {
  const look = async (
    field: 'imageUrl' | 'endImageUrl',
    url: string | null,
  ): Promise<readonly ValidationIssue[]> => {
    const issue = url === null ? null : await inspect(url);
    return issue ? [{ field, code: issue.code, message: `${field}: ${issue.message}` }] : [];
  };
  return (await Promise.all([look('imageUrl', imageUrl), look('endImageUrl', endImageUrl)])).flat();
}
