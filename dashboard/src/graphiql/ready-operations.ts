/** With the example of the provider's own page on this model. */
const CREATE = `# 1. Run this (Ctrl-Enter), then copy the task's id from the answer.
mutation Create {
  createImageToVideo(
    input: {
      prompt: "电影级宽幅镜头：一艘巨型星际飞船静静悬浮在土星环上空，金属船体反射着缕缕宇宙光芒。镜头缓缓推进，露出数千扇亮着灯光的舷窗，宛如一座漂浮的城市。小型战斗机穿梭于画面之中，在浩瀚宇宙里灵活机动，留下霓虹色的尾迹。推进器突然迸发能量，小行星碎片在慢镜头下四散飞溅，碰撞时闪烁着微弱的光芒，而后缓缓飘向远方。"
      imageUrl: "https://file.aiquickdraw.com/custom-page/akr/section-images/17585210783150ispzfo7.png"
      endImageUrl: ""
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

const WATCH = `# 2. Put the id between the quotes, then watch the task move.
subscription Watch {
  taskUpdated(id: "paste the id here") {
    state
    updatedAt
    videos { url expiresAt }
    failure { code message retryable }
  }
}
`;

const QUERY = `# One task, by our id or the provider's.
query Task {
  task(id: "paste the id here") {
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
    videos { url expiresAt }
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

const CANCEL = `# A task that still waits its turn here: it is never sent, and costs nothing.
mutation Cancel {
  cancelTask(id: "paste the id here") {
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

/** Ready to be run: create, watch, query, list, watch all and cancel, each without variables. */
export const READY_OPERATIONS: readonly string[] = [CREATE, WATCH, QUERY, LIST, WATCH_ALL, CANCEL];
