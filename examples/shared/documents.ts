/** What the examples ask for of a task. */
export const TASK_FIELDS = `
  fragment TaskFields on Task {
    id
    revision
    state
    videos { url }
    failure { message }
  }`;

/** Variables: `input`. */
export const CREATE = `
  mutation Create($input: CreateImageToVideoInput!) {
    createImageToVideo(input: $input) {
      __typename
      ... on CreateImageToVideoSuccess { task { ...TaskFields } }
      ... on UserError { message }
    }
  }
  ${TASK_FIELDS}`;

/** One task: first as it is now, then each change, until it has ended. Variables: `id`. */
export const TASK_UPDATED = `
  subscription TaskUpdated($id: ID!) {
    taskUpdated(id: $id) { ...TaskFields }
  }
  ${TASK_FIELDS}`;

/** The revision to go on from. An app asks for its page of tasks in the same query. */
export const REVISION = `
  query Revision {
    tasks { revision }
  }`;

/** Every change of every task since a revision, without end. Variables: `after`. */
export const TASKS_UPDATED = `
  subscription TasksUpdated($after: SafeInt) {
    tasksUpdated(after: $after) { ...TaskFields }
  }
  ${TASK_FIELDS}`;
