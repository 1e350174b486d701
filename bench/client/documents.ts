/**
 * What every subscriber selects. The first two fields stand first in each message, so that the client finds the task's
 * number and state at a fixed place.
 */
const FIELDS = `providerTaskId state id model prompt imageUrl endImageUrl promptOptimizer videos { url }
  failure { code message providerCode retryable } creditsConsumed revision createdAt updatedAt completedAt`;

export const TASK = `query ($id: ID!) { task(id: $id) { ${FIELDS} } }`;
export const TASK_UPDATED = `subscription ($id: ID!) { taskUpdated(id: $id) { ${FIELDS} } }`;
export const TASKS_UPDATED = `subscription ($after: SafeInt) { tasksUpdated(after: $after) { ${FIELDS} } }`;
export const CREATE = `mutation ($input: CreateImageToVideoInput!) {
  createImageToVideo(input: $input) { __typename ... on CreateImageToVideoSuccess { task { ${FIELDS} } } }
}`;

/** Makes a message of about 592 bytes. */
export const INPUT = {
  prompt: 'slow push-in, snow',
  imageUrl: 'https://files.example/first.png',
};
