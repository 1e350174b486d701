import { SignJWT } from 'jose';
import { type ApiTask, CREATE, TASK_UPDATED, input } from '../kit/documents.ts';
import { HMAC_KEY } from '../kit/gateway.ts';
import { graphql, dataOf } from '../kit/graphql.ts';
import { openGraphqlWs } from '../kit/graphql-ws.ts';
import { callbackSuccess, createBody, deliverCallback, sign } from '../kit/kie.ts';
import type { FakeProvider, ProviderRequest } from '../kit/provider.ts';

/** The environment of a gateway that uses this provider and is called back by a test. */
export function servedBy({ url }: Pick<FakeProvider, 'url'>) {
  return {
    KIE_API_KEY: 'test-key',
    KIE_API_URL: url,
    KIE_WEBHOOK_HMAC_KEYS: HMAC_KEY,
    PUBLIC_URL: 'https://gateway.example.test',
  };
}

/** Where a create call asked to be called back. */
export function callbackPath(create: ProviderRequest): string {
  return new URL(createBody(create).callBackUrl ?? '').pathname;
}

/** Calls back at a gateway that the task of a create call has become a video. */
export function callBack(
  url: string,
  create: ProviderRequest,
  providerTaskId: string,
  fields?: Parameters<typeof callbackSuccess>[1],
) {
  const signature = sign(HMAC_KEY, providerTaskId);
  return deliverCallback(url + callbackPath(create), callbackSuccess(providerTaskId, fields), signature);
}

/** Creates a task that must be accepted or stored. */
export async function createTask(
  graphqlUrl: string,
  overrides: Parameters<typeof input>[0] = {},
  credential?: string,
): Promise<ApiTask> {
  const { body } = await graphql(graphqlUrl, CREATE, { input: input(overrides) }, headersOf(credential));
  const result = dataOf(body).createImageToVideo;
  if (result.__typename !== 'CreateImageToVideoSuccess') throw new Error(JSON.stringify(result));
  return result.task;
}

/** Every state of a task that a subscriber sees over a WebSocket, from the present one to the last. */
export async function watchToTheEnd(
  graphqlUrl: string,
  id: string,
  credential?: string,
): Promise<readonly ApiTask[]> {
  const socket = await openGraphqlWs(graphqlUrl, { connectionParams: headersOf(credential) });
  const seen: ApiTask[] = [];
  for await (const result of socket.subscribe({ query: TASK_UPDATED, variables: { id } })) {
    seen.push(dataOf(result).taskUpdated);
  }
  await socket.close();
  return seen;
}

/** A token of an owner that expires after a time such as `1h`. */
export function tokenOf(owner: string, expiry: string, secret: string): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(owner)
    .setExpirationTime(expiry)
    .sign(new TextEncoder().encode(secret));
}

function headersOf(credential?: string): Readonly<Record<string, string>> {
  return credential === undefined ? {} : { authorization: `Bearer ${credential}` };
}
