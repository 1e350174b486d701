/**
 * What relay-compiler reads (`npm run relay`). In an app these tags stand where they are used, and the bundler's Relay plugin
 * puts what was compiled in their place; without a bundler, relay.ts imports that itself, and this file is never run.
 */
import { graphql } from 'relay-runtime';

export const create = graphql`
  mutation operationsCreateMutation($input: CreateImageToVideoInput!) {
    createImageToVideo(input: $input) {
      __typename
      ... on CreateImageToVideoSuccess {
        task {
          id
          revision
          state
          videos {
            url
          }
          failure {
            message
          }
        }
      }
      ... on UserError {
        message
      }
    }
  }
`;

export const taskUpdated = graphql`
  subscription operationsTaskUpdatedSubscription($id: ID!) {
    taskUpdated(id: $id) {
      id
      revision
      state
      videos {
        url
      }
      failure {
        message
      }
    }
  }
`;
