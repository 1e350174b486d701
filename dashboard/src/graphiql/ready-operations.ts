const CREATE = `# 1. Run this (Ctrl-Enter), then copy the id of the task from the answer.
mutation Create {
  createImageToVideo(
    input: {
      prompt: """
      Cinematic wide shot: a giant starship floats silently above the rings of Saturn,
      its hull reflecting threads of cosmic light. The camera pushes in slowly and
      reveals thousands of lit windows, like a floating city.
      """
      imageUrl: "https://file.aiquickdraw.com/custom-page/akr/section-images/17585210783150ispzfo7.png"
      promptOptimizer: true
    }
  ) {
    __typename
    ... on CreateImageToVideoSuccess {
      task { id state revision }
    }
    ... on ValidationError {
      issues { path code message }
    }
    ... on ProviderError { code message retryable }
    ... on IdempotencyConflictError {
      message
      task { id }
    }
  }
}
`;

const WATCH = `# 2. Paste the id into the variables below, then watch the task move.
subscription Watch($id: ID!) {
  taskUpdated(id: $id) {
    state
    updatedAt
    videos { url expiresAt archive { state bytes message } }
    failure { code message retryable }
  }
}
`;

const MODELS = `# The models, the default first, and what each one takes.
query Models {
  models {
    id
    title
    durations
    defaultDuration
    resolutions
    defaultResolution
    sound
    lastImage
    negativePrompt
    seed
    promptOptimizer
    promptMaxLength
    image { mediaTypes maxBytes }
    status
  }
}
`;

/** For another model than the default, with some of its options. */
const OTHER_INPUT = `input: {
      model: SEEDANCE_2_MINI
      durationSeconds: 4
      resolution: P480
      sound: false
      prompt: "The starship turns slowly while its lights go on."
      imageUrl: "https://file.aiquickdraw.com/custom-page/akr/section-images/17585210783150ispzfo7.png"
    }`;

const ESTIMATE = `# What a video would cost and how long it may take. It stores, sends and charges nothing.
query Estimate {
  estimateImageToVideo(
    ${OTHER_INPUT}
  ) {
    __typename
    ... on ImageToVideoEstimate { credits source expectedSeconds }
    ... on ValidationError {
      issues { path code message }
    }
    ... on ProviderError { code message }
  }
}
`;

const CREATE_OTHER = `# A video with another model and its options.
mutation CreateOther {
  createImageToVideo(
    ${OTHER_INPUT}
  ) {
    __typename
    ... on CreateImageToVideoSuccess {
      task {
        id
        state
        modelInfo { title }
        options { durationSeconds resolution sound }
      }
    }
    ... on ValidationError {
      issues { path code message }
    }
    ... on ProviderError { code message retryable }
  }
}
`;

const QUERY = `# One task, by its id or the provider's.
query Task($id: ID!) {
  task(id: $id) {
    id
    state
    prompt
    providerTaskId
    creditsConsumed
    createdAt
    completedAt
    expectedAt
    queuePosition
    timeline { state at source }
    videos { url expiresAt archive { state bytes message } }
    failure { code providerCode message retryable }
  }
}
`;

const LIST = `# The newest tasks.
query Tasks {
  tasks(first: 10) {
    revision
    pageInfo { hasNextPage endCursor }
    edges { node { id state prompt createdAt videos { url } } }
  }
  account { creditsRemaining }
}
`;

const WATCH_ALL = `# Every change of every task.
subscription WatchAll {
  tasksUpdated { id state revision updatedAt }
}
`;

const CANCEL = `# Cancels a task that the gateway has not sent yet. It costs nothing.
mutation Cancel($id: ID!) {
  cancelTask(id: $id) {
    __typename
    ... on CancelTaskSuccess {
      task { id state revision }
    }
    ... on CannotCancelError {
      message
      reason
    }
  }
}
`;

const ID = '{ "id": "" }';

/** Operations in the order of a first visit, with the variables that their reader fills in. */
export const READY_OPERATIONS: readonly { readonly query: string; readonly variables?: string }[] = [
  { query: CREATE },
  { query: WATCH, variables: ID },
  { query: MODELS },
  { query: ESTIMATE },
  { query: CREATE_OTHER },
  { query: QUERY, variables: ID },
  { query: LIST },
  { query: WATCH_ALL },
  { query: CANCEL, variables: ID },
];
