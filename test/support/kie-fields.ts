/** Fields of a task as kie.ai tells them. `undefined` leaves a field out. */
export type KieFields = Readonly<Record<string, unknown>>;

export const MODEL = 'hailuo/02-image-to-video-pro';
export const CREATED_AT = 1_763_798_400_000;
export const COMPLETED_AT = CREATED_AT + 60_000;

/** The result of a task when the test names no other. */
export function videoUrl(taskId: string): string {
  return `https://files.example/${taskId}.mp4`;
}

/** The `resultJson` of a task that is done. */
export function resultJson(...urls: readonly string[]): string {
  return JSON.stringify({ resultUrls: urls });
}

/** The `param` of a record or callback: the create request as a JSON string. */
export function param(callBackUrl?: string): string {
  const input = { prompt: 'slow push-in, snow falling', image_url: 'https://files.example/first.png' };
  return JSON.stringify({ model: MODEL, callBackUrl, input });
}
