/**
 * @generated SignedSource<<2ceca1f12dd7614de352c3b87ed63bea>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type TaskState = "FAIL" | "GENERATING" | "QUEUING" | "SUBMITTING" | "SUCCESS" | "WAITING";
export type CreateImageToVideoInput = {
  endImageUrl?: string | null | undefined;
  idempotencyKey?: string | null | undefined;
  imageUrl: string;
  prompt: string;
  promptOptimizer?: boolean | null | undefined;
};
export type operationsCreateMutation$variables = {
  input: CreateImageToVideoInput;
};
export type operationsCreateMutation$data = {
  readonly createImageToVideo: {
    readonly __typename: string;
    readonly message?: string;
    readonly task?: {
      readonly failure: {
        readonly message: string;
      } | null | undefined;
      readonly id: string;
      readonly revision: number;
      readonly state: TaskState;
      readonly videos: ReadonlyArray<{
        readonly url: string;
      }>;
    };
  };
};
export type operationsCreateMutation = {
  response: operationsCreateMutation$data;
  variables: operationsCreateMutation$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "input"
  }
],
v1 = [
  {
    "alias": null,
    "args": null,
    "kind": "ScalarField",
    "name": "message",
    "storageKey": null
  }
],
v2 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "input",
        "variableName": "input"
      }
    ],
    "concreteType": null,
    "kind": "LinkedField",
    "name": "createImageToVideo",
    "plural": false,
    "selections": [
      {
        "alias": null,
        "args": null,
        "kind": "ScalarField",
        "name": "__typename",
        "storageKey": null
      },
      {
        "kind": "InlineFragment",
        "selections": [
          {
            "alias": null,
            "args": null,
            "concreteType": "Task",
            "kind": "LinkedField",
            "name": "task",
            "plural": false,
            "selections": [
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "id",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "revision",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "state",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "concreteType": "Video",
                "kind": "LinkedField",
                "name": "videos",
                "plural": true,
                "selections": [
                  {
                    "alias": null,
                    "args": null,
                    "kind": "ScalarField",
                    "name": "url",
                    "storageKey": null
                  }
                ],
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "concreteType": "TaskFailure",
                "kind": "LinkedField",
                "name": "failure",
                "plural": false,
                "selections": (v1/*:: as any*/),
                "storageKey": null
              }
            ],
            "storageKey": null
          }
        ],
        "type": "CreateImageToVideoSuccess",
        "abstractKey": null
      },
      {
        "kind": "InlineFragment",
        "selections": (v1/*:: as any*/),
        "type": "UserError",
        "abstractKey": "__isUserError"
      }
    ],
    "storageKey": null
  }
];
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "operationsCreateMutation",
    "selections": (v2/*:: as any*/),
    "type": "Mutation",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "operationsCreateMutation",
    "selections": (v2/*:: as any*/)
  },
  "params": {
    "cacheID": "ecf0b2248a31197a32b24859bac8e90f",
    "id": null,
    "metadata": {},
    "name": "operationsCreateMutation",
    "operationKind": "mutation",
    "text": "mutation operationsCreateMutation(\n  $input: CreateImageToVideoInput!\n) {\n  createImageToVideo(input: $input) {\n    __typename\n    ... on CreateImageToVideoSuccess {\n      task {\n        id\n        revision\n        state\n        videos {\n          url\n        }\n        failure {\n          message\n        }\n      }\n    }\n    ... on UserError {\n      __isUserError: __typename\n      message\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "e928086a24800bf626fe40351c3e9da7";

export default node;
