/**
 * @generated SignedSource<<1a5f758f219c7fa604143e1a9df66d13>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
export type TaskState = "FAIL" | "GENERATING" | "QUEUING" | "SUBMITTING" | "SUCCESS" | "WAITING";
export type operationsTaskUpdatedSubscription$variables = {
  id: string;
};
export type operationsTaskUpdatedSubscription$data = {
  readonly taskUpdated: {
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
export type operationsTaskUpdatedSubscription = {
  response: operationsTaskUpdatedSubscription$data;
  variables: operationsTaskUpdatedSubscription$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "id"
  }
],
v1 = [
  {
    "alias": null,
    "args": [
      {
        "kind": "Variable",
        "name": "id",
        "variableName": "id"
      }
    ],
    "concreteType": "Task",
    "kind": "LinkedField",
    "name": "taskUpdated",
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
        "selections": [
          {
            "alias": null,
            "args": null,
            "kind": "ScalarField",
            "name": "message",
            "storageKey": null
          }
        ],
        "storageKey": null
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
    "name": "operationsTaskUpdatedSubscription",
    "selections": (v1/*:: as any*/),
    "type": "Subscription",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "operationsTaskUpdatedSubscription",
    "selections": (v1/*:: as any*/)
  },
  "params": {
    "cacheID": "d40aff22fa792b72a35c766392c8f432",
    "id": null,
    "metadata": {},
    "name": "operationsTaskUpdatedSubscription",
    "operationKind": "subscription",
    "text": "subscription operationsTaskUpdatedSubscription(\n  $id: ID!\n) {\n  taskUpdated(id: $id) {\n    id\n    revision\n    state\n    videos {\n      url\n    }\n    failure {\n      message\n    }\n  }\n}\n"
  }
};
})();

(node as any).hash = "1d5275cc88c4e05d5eb4b14449d8ed42";

export default node;
